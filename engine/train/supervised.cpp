#include "engine/train/supervised.h"

#include "engine/pipeline/model_builder.h"
#include "engine/train/evaluator.h"
#include "engine/train/model_tensors.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedule.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "kernels/cpu/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace millrace::train {

using pipeline::TargetKind;

namespace {

constexpr double kCheckpointSeconds = 1.0;        // between checkpoints at the end of an epoch
constexpr double kCheckpointWithinSeconds = 20.0; // between checkpoints within a long epoch

// All that a resumed run needs beside the tensors. Everything that is summed up over an epoch is in it, so that a
// resumed epoch reports the same means.
struct Position
{
    std::int64_t epoch = 0;       // finished epochs
    std::int64_t stepInEpoch = 0; // finished steps of the current one
    std::int64_t step = 0;        // finished steps in all
    double lossSum = 0;           // over the rows of the current epoch
    double correctSum = 0;
    std::int64_t rowsSeen = 0;
    double bestLoss = std::numeric_limits<double>::infinity();
    std::int64_t bestEpoch = 0;
    bool done = false; // stopped early

    nlohmann::json toJson() const
    {
        return {{"epoch", epoch},
                {"step_in_epoch", stepInEpoch},
                {"step", step},
                {"loss_sum", lossSum},
                {"correct_sum", correctSum},
                {"rows_seen", rowsSeen},
                {"best_epoch", bestEpoch},
                {"done", done},
                {"best_loss", std::isfinite(bestLoss) ? nlohmann::json(bestLoss) : nlohmann::json()}};
    }
    static Position fromJson(const nlohmann::json& json)
    {
        Position p;
        p.epoch = json.value("epoch", p.epoch);
        p.stepInEpoch = json.value("step_in_epoch", p.stepInEpoch);
        p.step = json.value("step", p.step);
        p.lossSum = json.value("loss_sum", p.lossSum);
        p.correctSum = json.value("correct_sum", p.correctSum);
        p.rowsSeen = json.value("rows_seen", p.rowsSeen);
        p.bestEpoch = json.value("best_epoch", p.bestEpoch);
        p.done = json.value("done", p.done);
        if (const auto best = json.find("best_loss"); best != json.end() && best->is_number()) p.bestLoss = *best;
        return p;
    }
};

TargetScale fitTargetScale(const data::Dataset& dataset)
{
    if (dataset.schema.target != TargetKind::Number) return {};
    const auto rows = static_cast<double>(dataset.targets.size());
    double mean = 0, variance = 0;
    for (const float value : dataset.targets) mean += static_cast<double>(value) / rows;
    for (const float value : dataset.targets)
        variance += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean) / rows;
    const double deviation = std::sqrt(variance);
    return {mean, deviation > 0 ? deviation : 1};
}

class Trainer
{
public:
    Trainer(const SupervisedSettings& settings, const SupervisedInput& input, Observer& observer,
            formats::CheckpointStore& checkpoints, std::stop_token stop)
        : m_settings(settings), m_input(input), m_observer(observer), m_checkpoints(checkpoints),
          m_stop(std::move(stop))
    {
    }

    Status prepare();
    Status run();
    formats::Model model();

private:
    Result<std::unique_ptr<execute::Executor>> makeExecutor(std::int64_t batch);
    Status restore();
    Status saveCheckpoint();
    Status trainEpoch();
    Status trainStep(std::int64_t first, std::int64_t batch);
    Status finishEpoch();
    void clipGradient(execute::Executor& executor);
    void fillBatch(execute::Executor& executor, std::int64_t first, std::int64_t batch);
    void reportProgress(double batchLoss);
    std::int64_t stepsPerEpoch() const;
    bool classes() const { return m_input.train.schema.target == TargetKind::Classes; }
    double secondsSince(std::int64_t us) const { return static_cast<double>(monotonicMicroseconds() - us) / 1e6; }

    const SupervisedSettings& m_settings;
    const SupervisedInput& m_input;
    Observer& m_observer;
    formats::CheckpointStore& m_checkpoints;
    std::stop_token m_stop;

    TargetScale m_scale;
    std::shared_ptr<execute::Weights> m_weights;       // shared by both executors and the evaluator
    std::unique_ptr<execute::Executor> m_full, m_rest; // for whole batches and for the epoch's last, smaller one
    std::unique_ptr<Optimizer> m_optimizer;
    std::unique_ptr<Evaluator> m_evaluator;
    Schedule m_schedule;
    std::vector<std::uint32_t> m_order;
    std::vector<float> m_bestParameters, m_bestStates;
    Position m_position;
    std::int64_t m_lastCheckpointUs = 0, m_startUs = 0, m_startStep = 0;
};

std::int64_t Trainer::stepsPerEpoch() const
{
    const std::int64_t rest = m_input.train.rows() % m_settings.batchSize;
    return m_input.train.rows() / m_settings.batchSize + (rest > 1 ? 1 : 0);
}

Result<std::unique_ptr<execute::Executor>> Trainer::makeExecutor(std::int64_t batch)
{
    MR_TRY(graph::Graph graph, pipeline::buildModel(m_input.layers, m_input.catalogue, m_input.train.schema, batch));
    MR_TRY(graph, compile::withGradients(std::move(graph),
                                         classes() ? compile::Loss::CrossEntropy : compile::Loss::MeanSquaredError));
    MR_TRY(compile::Program program, compile::plan(std::move(graph), compile::Mode::Training));
    if (!m_weights) {
        MR_TRY(m_weights, execute::Weights::create(program, m_settings.seed));
    }
    return execute::Executor::create(std::move(program), m_weights, m_settings.threads);
}

Status Trainer::prepare()
{
    const std::int64_t rows = m_input.train.rows();
    if (stepsPerEpoch() == 0)
        return makeError(Code::InvalidArgument,
                         str("There are only ", rows, " rows to train on; at least 2 are needed."));
    m_scale = fitTargetScale(m_input.train);
    if (rows >= m_settings.batchSize) {
        MR_TRY(m_full, makeExecutor(m_settings.batchSize));
    }
    if (const std::int64_t rest = rows % m_settings.batchSize; rest > 1) {
        MR_TRY(m_rest, makeExecutor(rest));
    }

    ParameterLayout layout{{}, m_weights->parameters().size()};
    for (const auto& parameter : m_weights->namedParameters()) {
        const auto begin = static_cast<std::uint64_t>(parameter.values.data() - m_weights->parameters().data());
        layout.segments.push_back({begin, begin + parameter.values.size(), parameter.decay});
    }
    OptimizerSettings optimizer = OptimizerSettings::of(m_settings.optimizer);
    optimizer.weightDecay = m_settings.weightDecay;
    optimizer.momentum = m_settings.momentum;
    MR_TRY(m_optimizer, createOptimizer(optimizer, std::move(layout), m_settings.threads));
    MR_TRY(Evaluator evaluator, Evaluator::create(m_input.layers, m_input.catalogue, m_input.train.schema, m_weights,
                                                  m_scale, m_settings.threads));
    m_evaluator = std::make_unique<Evaluator>(std::move(evaluator));

    m_schedule.kind = m_settings.schedule == "cosine" ? Schedule::Kind::Cosine
                      : m_settings.schedule == "step" ? Schedule::Kind::Step
                                                      : Schedule::Kind::Constant;
    m_schedule.base = m_settings.learningRate;
    m_schedule.stepsPerEpoch = stepsPerEpoch();
    m_schedule.totalSteps = stepsPerEpoch() * m_settings.epochs;
    m_schedule.warmupEpochs = m_settings.warmupEpochs;
    m_schedule.decayEveryEpochs = m_settings.decayEveryEpochs;
    m_schedule.decayFactor = m_settings.decayFactor;
    m_order.resize(static_cast<std::size_t>(rows));
    MR_CHECK(restore());
    m_lastCheckpointUs = m_startUs = monotonicMicroseconds();
    m_startStep = m_position.step;
    return {};
}

// The buffers that make up the trainer's state, under the names they have in a checkpoint.
namespace {
template <class T> std::string_view asBytes(std::span<T> values)
{
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}
template <class T>
Status fromBytes(const std::map<std::string, std::string>& files, const std::string& name, std::span<T> values)
{
    const auto file = files.find(name);
    if (file == files.end() || file->second.size() != values.size_bytes())
        return makeError(Code::Corrupt, str("The checkpoint's \"", name, "\" does not fit this model."))
            .advise("Start the run anew; the pipeline has changed since the checkpoint.");
    std::memcpy(values.data(), file->second.data(), values.size_bytes());
    return {};
}
} // namespace

Status Trainer::restore()
{
    MR_TRY(const auto found, m_checkpoints.loadNewest());
    if (!found) return {};
    for (const std::string& note : found->notes) m_observer.note(LogLevel::Warning, note);
    const auto& files = found->folder.files;
    MR_CHECK(fromBytes(files, "parameters", m_weights->parameters()));
    MR_CHECK(fromBytes(files, "states", m_weights->states()));
    for (auto& [name, values] : m_optimizer->state()) MR_CHECK(fromBytes(files, "optimizer." + name, values));
    if (files.contains("best.parameters")) {
        m_bestParameters.resize(m_weights->parameters().size());
        m_bestStates.resize(m_weights->states().size());
        MR_CHECK(fromBytes(files, "best.parameters", std::span(m_bestParameters)));
        MR_CHECK(fromBytes(files, "best.states", std::span(m_bestStates)));
    }
    m_position = Position::fromJson(found->folder.meta);
    m_observer.note(LogLevel::Info, str("Resumed from the checkpoint at step ", m_position.step, "."));
    return {};
}

Status Trainer::saveCheckpoint()
{
    MR_CHECK(m_observer.flush(true));
    formats::FilesToWrite files{{"parameters", asBytes(m_weights->parameters())},
                                {"states", asBytes(m_weights->states())}};
    for (auto& [name, values] : m_optimizer->state()) files["optimizer." + name] = asBytes(values);
    if (!m_bestParameters.empty()) {
        files["best.parameters"] = asBytes(std::span(m_bestParameters));
        files["best.states"] = asBytes(std::span(m_bestStates));
    }
    MR_TRY(const auto saved, m_checkpoints.save(m_position.step, files, m_position.toJson()));
    m_observer.checkpointSaved(
        {m_position.step, m_position.epoch, saved.folder.path, saved.folder.manifestSha256, saved.folder.sizeBytes});
    m_lastCheckpointUs = monotonicMicroseconds();
    return {};
}

Status Trainer::run()
{
    while (m_position.epoch < m_settings.epochs && !m_position.done) {
        MR_CHECK(trainEpoch());
        MR_CHECK(finishEpoch());
    }
    if (m_settings.earlyStopping > 0 && !m_bestParameters.empty()) {
        std::copy(m_bestParameters.begin(), m_bestParameters.end(), m_weights->parameters().begin());
        std::copy(m_bestStates.begin(), m_bestStates.end(), m_weights->states().begin());
    }
    return m_observer.flush(false);
}

Status Trainer::trainEpoch()
{
    permutation(m_settings.seed, streamOf(str("order/", m_position.epoch)), m_order);
    while (m_position.stepInEpoch < stepsPerEpoch()) {
        if (m_stop.stop_requested()) {
            MR_CHECK(saveCheckpoint());
            return makeError(Code::Cancelled, str("Stopped in epoch ", m_position.epoch + 1, " of ", m_settings.epochs,
                                                  ", step ", m_position.step, "."))
                .advise("Resume it to go on from there.");
        }
        const std::int64_t first = m_position.stepInEpoch * m_settings.batchSize;
        MR_CHECK(trainStep(first, std::min(m_settings.batchSize, m_input.train.rows() - first)));
        if (secondsSince(m_lastCheckpointUs) >= kCheckpointWithinSeconds) MR_CHECK(saveCheckpoint());
    }
    return {};
}

void Trainer::fillBatch(execute::Executor& executor, std::int64_t first, std::int64_t batch)
{
    const auto features = *executor.floats("features");
    const auto width = static_cast<std::size_t>(m_input.train.schema.features.elements());
    for (std::int64_t i = 0; i < batch; ++i) {
        const std::size_t row = m_order[static_cast<std::size_t>(first + i)];
        std::memcpy(features.data() + static_cast<std::size_t>(i) * width, m_input.train.features.data() + row * width,
                    width * sizeof(float));
        const auto at = static_cast<std::size_t>(i);
        if (classes())
            (*executor.integers("labels"))[at] = m_input.train.labels[row];
        else
            (*executor.floats("targets"))[at] =
                static_cast<float>((static_cast<double>(m_input.train.targets[row]) - m_scale.offset) / m_scale.factor);
    }
}

void Trainer::clipGradient(execute::Executor& executor)
{
    const auto gradients = executor.gradients();
    const double norm = std::sqrt(kernels::cpu::squaredNorm(gradients, m_settings.threads));
    if (norm > m_settings.clipNorm)
        kernels::cpu::scale(gradients, static_cast<float>(m_settings.clipNorm / norm), m_settings.threads);
}

// A loss and gradient that are computed already.
class Computed : public Objective
{
public:
    Computed(double loss, std::span<float> parameters, std::span<float> gradients)
        : m_loss(loss), m_parameters(parameters), m_gradients(gradients)
    {
    }
    Result<double> evaluate() override { return m_loss; }
    std::span<float> parameters() override { return m_parameters; }
    std::span<float> gradients() override { return m_gradients; }

private:
    double m_loss;
    std::span<float> m_parameters, m_gradients;
};

Status Trainer::trainStep(std::int64_t first, std::int64_t batch)
{
    execute::Executor& executor = batch == m_settings.batchSize ? *m_full : *m_rest;
    fillBatch(executor, first, batch);
    MR_CHECK(executor.run(m_settings.seed, static_cast<std::uint64_t>(m_position.step)));
    const double loss = static_cast<double>((*executor.floats("loss"))[0]);
    if (!std::isfinite(loss) || !kernels::cpu::allFinite(executor.gradients(), m_settings.threads)) {
        const std::string layer = executor.firstNonFinite();
        return makeError(Code::Diverged,
                         str(std::isfinite(loss) ? "The gradient" : "The loss", " is not a finite number at step ",
                             m_position.step + 1, " (epoch ", m_position.epoch + 1, ")",
                             layer.empty() ? std::string() : str("; it first appeared in layer ", layer), "."))
            .advise("Lower the learning rate, standardize the data, or clip the gradient.");
    }
    if (m_settings.clipNorm > 0) clipGradient(executor);
    Computed computed(loss, m_weights->parameters(), executor.gradients());
    MR_CHECK(m_optimizer->step(computed, m_schedule.rate(m_position.step), m_position.step + 1));
    m_position.step += 1;
    m_position.stepInEpoch += 1;
    m_position.rowsSeen += batch;
    m_position.lossSum += loss * static_cast<double>(batch);
    if (classes()) m_position.correctSum += static_cast<double>((*executor.floats("correct"))[0]);
    m_observer.metric("train.batch_loss", m_position.step, loss);
    reportProgress(loss);
    return {};
}

void Trainer::reportProgress(double batchLoss)
{
    const double seconds = secondsSince(m_startUs);
    const std::int64_t total = stepsPerEpoch() * m_settings.epochs;
    const auto done = static_cast<double>(m_position.step - m_startStep);
    protocol::Progress progress;
    progress.epoch = m_position.epoch + 1;
    progress.epochs = m_settings.epochs;
    progress.step = m_position.step;
    progress.steps = total;
    progress.loss = batchLoss;
    if (classes()) progress.accuracy = m_position.correctSum / static_cast<double>(m_position.rowsSeen);
    if (seconds > 0) {
        progress.samplesPerSecond =
            done * static_cast<double>(m_input.train.rows()) / static_cast<double>(stepsPerEpoch()) / seconds;
        progress.remainingSeconds = seconds / done * static_cast<double>(total - m_position.step);
    }
    m_observer.advanced(progress);
}

Status Trainer::finishEpoch()
{
    const std::int64_t epoch = m_position.epoch + 1;
    const double loss = m_position.lossSum / static_cast<double>(m_position.rowsSeen);
    m_observer.metric("train.loss", epoch, loss);
    if (classes())
        m_observer.metric("train.accuracy", epoch, m_position.correctSum / static_cast<double>(m_position.rowsSeen));
    m_observer.metric("train.learning_rate", epoch, m_schedule.rate(m_position.step - 1));
    double watched = loss;
    if (m_input.validation != nullptr) {
        MR_TRY(const Evaluation evaluation, m_evaluator->run(*m_input.validation));
        for (const auto& [name, value] : metricsOf(evaluation, m_input.train.schema.target, "validation"))
            if (name == "validation.loss" || name == "validation.accuracy" || name == "validation.rmse")
                m_observer.metric(name, epoch, value);
        watched = evaluation.loss;
    }
    if (m_settings.earlyStopping > 0) {
        if (watched < m_position.bestLoss) {
            m_position.bestLoss = watched;
            m_position.bestEpoch = epoch;
            m_bestParameters.assign(m_weights->parameters().begin(), m_weights->parameters().end());
            m_bestStates.assign(m_weights->states().begin(), m_weights->states().end());
        } else if (epoch - m_position.bestEpoch >= m_settings.earlyStopping) {
            m_position.done = true;
            m_observer.note(LogLevel::Info, str("Stopped early after epoch ", epoch, "; the best was epoch ",
                                                m_position.bestEpoch, "."));
        }
    }
    m_position.epoch = epoch;
    m_position.stepInEpoch = 0;
    m_position.rowsSeen = 0;
    m_position.lossSum = m_position.correctSum = 0;
    if (secondsSince(m_lastCheckpointUs) >= kCheckpointSeconds) MR_CHECK(saveCheckpoint());
    return {};
}

formats::Model Trainer::model()
{
    formats::Model model;
    model.layers = pipeline::layersToJson(m_input.layers);
    model.schema = m_input.train.schema;
    model.preprocessing = m_input.train.preprocessing;
    model.targetOffset = m_scale.offset;
    model.targetFactor = m_scale.factor;
    storeTensors(*m_weights, model);
    return model;
}

} // namespace

Result<formats::Model> trainSupervised(const SupervisedSettings& settings, const SupervisedInput& input,
                                       Observer& observer, formats::CheckpointStore& checkpoints, std::stop_token stop)
{
    Trainer trainer(settings, input, observer, checkpoints, std::move(stop));
    MR_CHECK(trainer.prepare());
    MR_CHECK(trainer.run());
    return trainer.model();
}

Result<SupervisedSettings> supervisedSettings(const pipeline::Node& node, const pipeline::NodeSpec& spec, int threads)
{
    for (const pipeline::ParamSpec& param : spec.params)
        if (auto valid = checkParam(param, paramValue(node, spec, param.id)); !valid)
            return std::move(valid).error().atNode(node.id, param.id);
    const auto integer = [&](std::string_view id) { return paramValue(node, spec, id).get<std::int64_t>(); };
    const auto number = [&](std::string_view id) { return paramValue(node, spec, id).get<double>(); };
    const auto text = [&](std::string_view id) { return paramValue(node, spec, id).get<std::string>(); };
    SupervisedSettings settings;
    settings.epochs = integer("epochs");
    settings.batchSize = integer("batch_size");
    settings.optimizer = text("optimizer");
    settings.learningRate = number("learning_rate");
    settings.momentum = number("momentum");
    settings.schedule = text("schedule");
    settings.warmupEpochs = number("warmup");
    settings.decayEveryEpochs = integer("step_epochs");
    settings.decayFactor = number("step_factor");
    settings.weightDecay = number("weight_decay");
    settings.seed = static_cast<std::uint64_t>(integer("seed"));
    settings.earlyStopping = integer("early_stopping");
    settings.clipNorm = number("clip_norm");
    settings.threads = threads;
    return settings;
}

} // namespace millrace::train
