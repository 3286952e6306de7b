#include "engine/train/evaluator.h"

#include "engine/pipeline/model_builder.h"
#include "engine/train/model_tensors.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>

namespace millrace::train {

using pipeline::TargetKind;

namespace {

constexpr std::int64_t kBatch = 256, kRowsAtOnce = 64 * kBatch;

// −log softmax(logits)[label], in double
double crossEntropy(std::span<const float> logits, std::size_t label)
{
    const double largest = *std::max_element(logits.begin(), logits.end());
    double sum = 0;
    for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
    return largest + std::log(sum) - static_cast<double>(logits[label]);
}

// The loss of one output, as its contract in kernels/ops has it.
double elementLoss(compile::Loss loss, double output, double target)
{
    const double error = std::abs(output - target);
    switch (loss) {
    case compile::Loss::BinaryCrossEntropy: // of the logit
        return std::max(output, 0.0) - output * target + std::log1p(std::exp(-std::abs(output)));
    case compile::Loss::MeanAbsoluteError:
        return error;
    case compile::Loss::Huber:
        return error <= 1 ? 0.5 * error * error : error - 0.5;
    default:
        return error * error;
    }
}

// The loss of a row of classes: cross-entropy, or the mean of the losses of its outputs against 1 for the label.
double rowLoss(compile::Loss loss, std::span<const float> outputs, std::size_t label)
{
    if (loss == compile::Loss::CrossEntropy) return crossEntropy(outputs, label);
    double sum = 0;
    for (std::size_t c = 0; c < outputs.size(); ++c)
        sum += elementLoss(loss, static_cast<double>(outputs[c]), c == label ? 1 : 0);
    return sum / static_cast<double>(outputs.size());
}

} // namespace

Result<Evaluator> Evaluator::create(const pipeline::Document& layers, const pipeline::Catalogue& catalogue,
                                    const pipeline::RowsSchema& schema, std::shared_ptr<execute::Weights> weights,
                                    TargetScale scale, compile::Loss loss, int threads)
{
    Evaluator evaluator;
    evaluator.m_layers = layers;
    evaluator.m_catalogue = &catalogue;
    evaluator.m_schema = schema;
    evaluator.m_weights = std::move(weights);
    evaluator.m_scale = scale;
    evaluator.m_loss = loss;
    evaluator.m_threads = threads;
    return evaluator;
}

Result<Evaluator> Evaluator::create(const formats::Model& model, const pipeline::Catalogue& catalogue,
                                    const execute::Place& place)
{
    MR_TRY(const pipeline::Document layers, pipeline::layersFromJson(model.layers));
    MR_TRY(graph::Graph graph, pipeline::buildModel(layers, catalogue, model.schema, 1));
    MR_TRY(const compile::Program program, execute::planFor(std::move(graph), compile::Mode::Inference, place));
    MR_TRY(auto weights, execute::Weights::create(program, 0, place));
    MR_CHECK(loadTensors(model, *weights));
    const auto loss =
        model.schema.target == TargetKind::Number ? compile::Loss::MeanSquaredError : compile::Loss::CrossEntropy;
    return create(layers, catalogue, model.schema, std::move(weights), {model.targetOffset, model.targetFactor}, loss,
                  place.threads);
}

Result<execute::Executor*> Evaluator::executorFor(std::int64_t batch)
{
    auto& executor = m_executors[batch];
    if (!executor) {
        MR_TRY(graph::Graph graph, pipeline::buildModel(m_layers, *m_catalogue, m_schema, batch));
        MR_TRY(compile::Program program,
               execute::planFor(std::move(graph), compile::Mode::Inference, m_weights->place()));
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

/// Adds up what is known of the rows so far, block by block in their order.
class Tally
{
public:
    Tally(std::size_t classes, compile::Loss loss, const TargetScale& scale) : m_loss(loss), m_scale(scale)
    {
        m_sums.confusion.assign(classes, std::vector<std::int64_t>(classes));
    }

    void addClasses(std::span<const std::int32_t> labels, std::span<const float> logits)
    {
        const std::size_t classes = logits.size() / labels.size();
        for (std::size_t row = 0; row < labels.size(); ++row) {
            const auto line = logits.subspan(row * classes, classes);
            const auto label = static_cast<std::size_t>(labels[row]);
            const auto predicted = static_cast<std::size_t>(std::max_element(line.begin(), line.end()) - line.begin());
            m_sums.loss += rowLoss(m_loss, line, label);
            m_sums.confusion[label][predicted] += 1;
            m_sums.accuracy += predicted == label ? 1 : 0;
        }
        m_sums.rows += static_cast<std::int64_t>(labels.size());
    }

    void addNumbers(std::span<const float> targets, std::span<const float> predictions)
    {
        for (std::size_t row = 0; row < targets.size(); ++row) {
            const double target = static_cast<double>(targets[row]);
            const double difference = static_cast<double>(predictions[row]) - target;
            m_sums.rows += 1;
            m_sums.loss += elementLoss(m_loss, difference / m_scale.factor, 0);
            m_squares += difference * difference;
            m_sums.mae += std::abs(difference);
            const double before = target - m_mean; // Welford's mean and spread of the targets
            m_mean += before / static_cast<double>(m_sums.rows);
            m_spread += before * (target - m_mean);
        }
    }

    Evaluation result(bool numbers) const
    {
        Evaluation result = m_sums;
        const auto rows = static_cast<double>(result.rows);
        result.loss /= rows;
        result.accuracy /= rows;
        result.mae /= rows;
        if (!numbers) return result;
        result.confusion.clear();
        result.rmse = std::sqrt(m_squares / rows);
        result.r2 = m_spread > 0 ? 1 - m_squares / m_spread : 0;
        return result;
    }

private:
    compile::Loss m_loss;
    TargetScale m_scale;
    Evaluation m_sums; ///< sums where the result has means
    double m_squares = 0, m_mean = 0, m_spread = 0;
};

} // namespace

Status Evaluator::checkRows(const data::Dataset& dataset) const
{
    if (dataset.schema.features != m_schema.features || dataset.schema.classes != m_schema.classes ||
        dataset.schema.target != m_schema.target)
        return makeError(Code::InvalidArgument,
                         str("The model was trained on rows of ", m_schema.features.toString(), " with ",
                             m_schema.classes.size(), " classes, but these rows are ",
                             dataset.schema.features.toString(), " with ", dataset.schema.classes.size(), " classes."))
            .advise("Evaluate it on rows of the same columns and classes.");
    if (dataset.rows() == 0) return makeError(Code::InvalidArgument, "There are no rows to evaluate the model on.");
    return {};
}

Result<Evaluation> Evaluator::run(const data::Dataset& dataset, std::stop_token stop)
{
    MR_CHECK(checkRows(dataset));
    const bool numbers = m_schema.target == TargetKind::Number;
    const auto width = static_cast<std::size_t>(m_schema.features.elements());
    Tally tally(m_schema.classes.size(), m_loss, m_scale);
    const auto measure = [&](const data::Batch& block) -> Status {
        for (std::int64_t first = 0; first < block.rows; first += kRowsAtOnce) {
            const auto from = static_cast<std::size_t>(first);
            const auto rows = static_cast<std::size_t>(std::min(kRowsAtOnce, block.rows - first));
            MR_TRY(const std::vector<float> all,
                   outputs(block.features.subspan(from * width, rows * width), static_cast<std::int64_t>(rows)));
            for (const float value : all)
                if (!std::isfinite(value))
                    return makeError(Code::Diverged, "The model's output is not a finite number.")
                        .advise("Train it again with a lower learning rate.");
            if (numbers)
                tally.addNumbers(block.targets.subspan(from, rows), all);
            else
                tally.addClasses(block.labels.subspan(from, rows), all);
        }
        return {};
    };
    MR_CHECK(data::forEachBlock(dataset, std::move(stop), measure));
    return tally.result(numbers);
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
