#include "engine/train/evaluator.h"

#include "engine/pipeline/model_builder.h"
#include "engine/train/model_tensors.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>

namespace millrace::train {

using pipeline::TargetKind;

namespace {

constexpr std::int64_t kBatch = 256;

// −log softmax(logits)[label], in double
double crossEntropy(std::span<const float> logits, std::int32_t label)
{
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
    return largest + std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(label)]);
}

} // namespace

Result<Evaluator> Evaluator::create(const pipeline::Document& layers, const pipeline::Catalogue& catalogue,
                                    const pipeline::RowsSchema& schema, std::shared_ptr<execute::Weights> weights,
                                    TargetScale scale, int threads)
{
    Evaluator evaluator;
    evaluator.m_layers = layers;
    evaluator.m_catalogue = &catalogue;
    evaluator.m_schema = schema;
    evaluator.m_weights = std::move(weights);
    evaluator.m_scale = scale;
    evaluator.m_threads = threads;
    return evaluator;
}

Result<Evaluator> Evaluator::create(const formats::Model& model, const pipeline::Catalogue& catalogue, int threads)
{
    MR_TRY(const pipeline::Document layers, pipeline::layersFromJson(model.layers));
    MR_TRY(graph::Graph graph, pipeline::buildModel(layers, catalogue, model.schema, 1));
    MR_TRY(const compile::Program program, compile::plan(std::move(graph), compile::Mode::Inference));
    MR_TRY(auto weights, execute::Weights::create(program, 0));
    MR_CHECK(loadTensors(model, *weights));
    return create(layers, catalogue, model.schema, std::move(weights), {model.targetOffset, model.targetFactor},
                  threads);
}

Result<execute::Executor*> Evaluator::executorFor(std::int64_t batch)
{
    auto& executor = m_executors[batch];
    if (!executor) {
        MR_TRY(graph::Graph graph, pipeline::buildModel(m_layers, *m_catalogue, m_schema, batch));
        MR_TRY(compile::Program program, compile::plan(std::move(graph), compile::Mode::Inference));
        MR_TRY(executor, execute::Executor::create(std::move(program), m_weights, m_threads));
    }
    return executor.get();
}

Result<std::vector<float>> Evaluator::outputs(std::span<const float> features, std::int64_t rows)
{
    const auto width = static_cast<std::size_t>(m_schema.features.elements());
    std::vector<float> all;
    for (std::int64_t first = 0; first < rows; first += kBatch) {
        const std::int64_t batch = std::min(kBatch, rows - first);
        MR_TRY(execute::Executor * executor, executorFor(batch));
        MR_TRY(const auto input, executor->floats("features"));
        const auto part =
            features.subspan(static_cast<std::size_t>(first) * width, static_cast<std::size_t>(batch) * width);
        std::copy(part.begin(), part.end(), input.begin());
        MR_CHECK(executor->run(0, 0));
        MR_TRY(const auto output, executor->floats("output"));
        all.insert(all.end(), output.begin(), output.end());
    }
    if (m_schema.target == TargetKind::Number)
        for (float& value : all)
            value = static_cast<float>(m_scale.offset + m_scale.factor * static_cast<double>(value));
    return all;
}

namespace {

void evaluateClasses(const data::Dataset& dataset, std::span<const float> logits, Evaluation& result)
{
    const std::size_t classes = logits.size() / static_cast<std::size_t>(result.rows);
    result.confusion.assign(classes, std::vector<std::int64_t>(classes));
    std::int64_t correct = 0;
    for (std::size_t row = 0; row < static_cast<std::size_t>(result.rows); ++row) {
        const auto line = logits.subspan(row * classes, classes);
        const std::int32_t label = dataset.labels[row];
        const auto predicted = std::max_element(line.begin(), line.end()) - line.begin();
        result.loss += crossEntropy(line, label);
        result.confusion[static_cast<std::size_t>(label)][static_cast<std::size_t>(predicted)] += 1;
        correct += predicted == label ? 1 : 0;
    }
    result.loss /= static_cast<double>(result.rows);
    result.accuracy = static_cast<double>(correct) / static_cast<double>(result.rows);
}

void evaluateNumbers(const data::Dataset& dataset, std::span<const float> predictions, double factor,
                     Evaluation& result)
{
    const auto rows = static_cast<double>(result.rows);
    double mean = 0, squares = 0, absolute = 0, spread = 0;
    for (const float target : dataset.targets) mean += static_cast<double>(target) / rows;
    for (std::size_t row = 0; row < predictions.size(); ++row) {
        const double target = static_cast<double>(dataset.targets[row]);
        const double difference = static_cast<double>(predictions[row]) - target;
        squares += difference * difference;
        absolute += std::abs(difference);
        spread += (target - mean) * (target - mean);
    }
    result.loss = squares / rows / (factor * factor);
    result.rmse = std::sqrt(squares / rows);
    result.mae = absolute / rows;
    result.r2 = spread > 0 ? 1 - squares / spread : 0;
}

} // namespace

Result<Evaluation> Evaluator::run(const data::Dataset& dataset)
{
    if (dataset.schema.features != m_schema.features || dataset.schema.classes != m_schema.classes ||
        dataset.schema.target != m_schema.target)
        return makeError(Code::InvalidArgument,
                         str("The model was trained on rows of ", m_schema.features.toString(), " with ",
                             m_schema.classes.size(), " classes, but these rows are ",
                             dataset.schema.features.toString(), " with ", dataset.schema.classes.size(), " classes."))
            .advise("Evaluate it on rows of the same columns and classes.");
    Evaluation result;
    result.rows = dataset.rows();
    if (result.rows == 0) return makeError(Code::InvalidArgument, "There are no rows to evaluate the model on.");
    MR_TRY(const std::vector<float> all, outputs(dataset.features, result.rows));
    for (const float value : all)
        if (!std::isfinite(value))
            return makeError(Code::Diverged, "The model's output is not a finite number.")
                .advise("Train it again with a lower learning rate.");
    if (m_schema.target == TargetKind::Classes)
        evaluateClasses(dataset, all, result);
    else
        evaluateNumbers(dataset, all, m_scale.factor, result);
    return result;
}

std::vector<ClassFigures> classFigures(const Evaluation& evaluation)
{
    std::vector<ClassFigures> figures(evaluation.confusion.size());
    for (std::size_t c = 0; c < figures.size(); ++c) {
        std::int64_t predicted = 0;
        for (const auto& line : evaluation.confusion) predicted += line[c];
        for (const std::int64_t count : evaluation.confusion[c]) figures[c].rows += count;
        const auto hits = static_cast<double>(evaluation.confusion[c][c]);
        if (predicted > 0) figures[c].precision = hits / static_cast<double>(predicted);
        if (figures[c].rows > 0) figures[c].recall = hits / static_cast<double>(figures[c].rows);
        const double sum = figures[c].precision + figures[c].recall;
        if (sum > 0) figures[c].f1 = 2 * figures[c].precision * figures[c].recall / sum;
    }
    return figures;
}

std::map<std::string, double> metricsOf(const Evaluation& evaluation, TargetKind kind, const std::string& prefix)
{
    std::map<std::string, double> metrics{{prefix + ".loss", evaluation.loss}};
    if (kind == TargetKind::Number) {
        metrics[prefix + ".rmse"] = evaluation.rmse;
        metrics[prefix + ".mae"] = evaluation.mae;
        metrics[prefix + ".r2"] = evaluation.r2;
        return metrics;
    }
    metrics[prefix + ".accuracy"] = evaluation.accuracy;
    double classes = 0, precision = 0, recall = 0, f1 = 0;
    for (const ClassFigures& figures : classFigures(evaluation)) {
        if (figures.rows == 0) continue;
        classes += 1;
        precision += figures.precision;
        recall += figures.recall;
        f1 += figures.f1;
    }
    metrics[prefix + ".precision"] = precision / classes;
    metrics[prefix + ".recall"] = recall / classes;
    metrics[prefix + ".f1"] = f1 / classes;
    return metrics;
}

Result<std::shared_ptr<const data::Dataset>> asTrained(std::shared_ptr<const data::Dataset> rows,
                                                       const formats::Model& model)
{
    const auto& have = rows->preprocessing.steps;
    const auto& want = model.preprocessing.steps;
    if (have == want) return rows;
    const bool beginning = have.size() < want.size() && std::equal(have.begin(), have.end(), want.begin());
    if (!beginning)
        return makeError(Code::InvalidArgument,
                         "These rows were prepared differently from those the model was trained on.")
            .advise("Link the rows from the same Standardize node as the training rows, or from before it.");
    auto rest = nlohmann::json::array();
    for (std::size_t i = have.size(); i < want.size(); ++i) rest.push_back(want[i]);
    MR_TRY(data::Dataset ready, data::prepared(*rows, rest));
    return std::make_shared<const data::Dataset>(std::move(ready));
}

} // namespace millrace::train
