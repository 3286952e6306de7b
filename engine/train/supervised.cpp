#include "engine/train/supervised.h"

#include "engine/train/best_weights.h"
#include "engine/train/checkpoint.h"
#include "engine/train/model_tensors.h"
#include "engine/train/progress_meter.h"
#include "engine/train/stepper.h"
#include "engine/train/supervised_rows.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>

namespace millrace::train {

using pipeline::TargetKind;

namespace {

// All that a resumed run needs beside the tensors. Everything that is summed up over an epoch is in it, so that a
// resumed epoch reports the same means.
struct Position
{
    std::int64_t epoch = 0;       // finished epochs
    std::int64_t stepInEpoch = 0; // finished steps of the current one
    std::int64_t step = 0;        // finished steps in all
    double lossSum = 0;           // over the rows of the current epoch, by their weights
    double weightSum = 0;
    double correctSum = 0;
    std::int64_t rowsSeen = 0;
    bool done = false; // stopped early
    Plateau plateau;

    nlohmann::json toJson() const
    {
        return {{"epoch", epoch},
                {"step_in_epoch", stepInEpoch},
                {"step", step},
                {"loss_sum", lossSum},
                {"weight_sum", weightSum},
                {"correct_sum", correctSum},
                {"rows_seen", rowsSeen},
                {"done", done},
                {"plateau", train::toJson(plateau)}};
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
        p.weightSum = json.value("weight_sum", static_cast<double>(p.rowsSeen)); // a row's weight was 1 once
        p.done = json.value("done", p.done);
        p.plateau = plateauFromJson(json.value("plateau", nlohmann::json::object()));
        return p;
    }
};

bool hasBatchNorm(const pipeline::Document& layers)
{
    return std::ranges::any_of(layers.nodes, [](const auto& node) { return node.type == "layer.batch_norm"; });
}

class Trainer
{
public:
    Trainer(const SupervisedSettings& settings, const SupervisedInput& input, Observer& observer,
            formats::CheckpointStore& checkpoints, std::stop_token stop)
        : m_settings(settings), m_input(input), m_observer(observer), m_checkpoints(checkpoints, observer),
          m_stop(std::move(stop))
    {
    }

    Status prepare();
    Status run();
    Result<formats::Model> model();

private:
    Status prepareRows(compile::Loss loss);
    Status prepareModel(compile::Loss loss);
    void prepareSchedule();
    void tellWhatDiffers();
    Result<NamedBytes> buffers();
    Status restore();
    Status saveCheckpoint();
    Status trainEpoch();
    Status trainStep();
    Status takeFigures();
    Status finishSteps();
    Status finishEpoch();
    Result<double> validate(std::int64_t epoch);
    void reportProgress(const StepFigures& figures);
    const pipeline::RowsSchema& schema() const { return m_input.train->schema; }

    const SupervisedSettings& m_settings;
    const SupervisedInput& m_input;
    Observer& m_observer;
    Checkpoints m_checkpoints;
    std::stop_token m_stop;

    TargetScale m_scale;
    std::vector<float> m_classWeights;
    std::unique_ptr<SupervisedRows> m_rows;
    std::unique_ptr<Stepper> m_stepper;
    std::unique_ptr<Evaluator> m_evaluator;
    Schedule m_schedule;
    BestWeights m_best;
    Position m_position;
    ProgressMeter m_meter;
};

Status Trainer::prepare()
{
    MR_CHECK(m_settings.schedule.check());
    MR_TRY(const compile::Loss loss, lossFor(m_settings.loss, schema().target));
    MR_CHECK(prepareRows(loss));
    if (m_rows->stepsPerEpoch() == 0)
        return makeError(Code::InvalidArgument,
                         str("There are only ", m_input.train->rows(), " rows to train on; at least 2 are needed."));
    MR_CHECK(prepareModel(loss));
    prepareSchedule();
    tellWhatDiffers();
    MR_CHECK(restore());
    m_meter = ProgressMeter(m_position.step, m_schedule.totalSteps);
    return {};
}

Status Trainer::prepareRows(compile::Loss loss)
{
    const StepSettings& step = m_settings.step;
    MR_TRY(const std::int64_t rows, microBatch(m_settings.batchSize, step.accumulation));
    MR_TRY(m_scale, fitTargetScale(*m_input.train, m_stop));
    if (m_settings.balancedClasses && loss == compile::Loss::CrossEntropy) {
        MR_TRY(m_classWeights, balancedWeights(*m_input.train, m_stop));
    }
    SupervisedRowsOptions options;
    options.accumulation = step.accumulation;
    options.fullBatch = isFullBatch(step.optimizer);
    options.loss = loss;
    options.classWeights = m_classWeights;
    options.scale = m_scale;
    options.loader.batchSize = rows;
    options.loader.seed = step.seed;
    options.loader.shuffle = !options.fullBatch;
    options.loader.augment = !options.fullBatch; // a line search needs the same rows at each of its points
    // a part of a single row counts as any other, where only the whole batch must have more than one
    options.loader.dropSingle = (step.accumulation == 1 && !options.fullBatch) || hasBatchNorm(m_input.layers) ||
                                m_input.train->rows() % m_settings.batchSize == 1;
    options.loader.threads = std::max(1, step.threads);
    options.loader.note = [this](const std::string& text) { m_observer.note(LogLevel::Info, text); };
    MR_TRY(m_rows, SupervisedRows::create(m_input.train, std::move(options)));
    return {};
}

Status Trainer::prepareModel(compile::Loss loss)
{
    TrainingModel model{m_input.layers, m_input.catalogue, schema(), loss, {}};
    model.options.classWeights = m_classWeights;
    MR_TRY(m_stepper, Stepper::create(model, m_settings.step, m_rows->batchSizes()));
    MR_TRY(Evaluator evaluator, Evaluator::create(m_input.layers, m_input.catalogue, schema(), m_stepper->weights(),
                                                  m_scale, loss, m_settings.step.threads));
    m_evaluator = std::make_unique<Evaluator>(std::move(evaluator));
    return {};
}

void Trainer::prepareSchedule()
{
    const std::int64_t steps = m_rows->stepsPerEpoch();
    m_schedule = m_settings.schedule;
    m_schedule.warmup = std::llround(m_settings.warmupEpochs * static_cast<double>(steps));
    m_schedule.totalSteps = steps * m_settings.epochs;
    m_schedule.length = steps * m_settings.stepEpochs;
}

// Where parts of a batch are not the batch.
void Trainer::tellWhatDiffers()
{
    const bool parts = m_settings.step.accumulation > 1 || isFullBatch(m_settings.step.optimizer);
    if (parts && hasBatchNorm(m_input.layers))
        m_observer.note(LogLevel::Info, "Batch norm takes its means over the parts of a batch that are computed at "
                                        "once, not over the whole batch.");
}

Result<NamedBytes> Trainer::buffers()
{
    MR_TRY(NamedBytes all, m_stepper->state());
    m_best.appendTo(all);
    return all;
}

Status Trainer::restore()
{
    MR_TRY(const auto found, m_checkpoints.load());
    if (!found) return {};
    m_position = Position::fromJson(found->folder.meta);
    m_best.fromJson(found->folder.meta, *m_stepper->weights());
    MR_TRY(const NamedBytes all, buffers());
    MR_CHECK(Checkpoints::restore(*found, all));
    return m_stepper->restored();
}

Status Trainer::saveCheckpoint()
{
    MR_CHECK(finishSteps());
    nlohmann::json position = m_position.toJson();
    m_best.toJson(position);
    MR_TRY(const NamedBytes all, buffers());
    return m_checkpoints.save(m_position.step, m_position.epoch, all, position);
}

Status Trainer::run()
{
    while (m_position.epoch < m_settings.epochs && !m_position.done) {
        MR_CHECK(trainEpoch());
        MR_CHECK(finishEpoch());
    }
    MR_CHECK(m_stepper->exchangeAverage());
    if (m_settings.earlyStopping > 0) MR_CHECK(m_best.copyTo(*m_stepper->weights()));
    return m_observer.flush(false);
}

Status Trainer::trainEpoch()
{
    MR_CHECK(m_rows->start(m_position.epoch, m_position.stepInEpoch, m_stop));
    while (m_position.stepInEpoch < m_rows->stepsPerEpoch()) {
        if (m_stop.stop_requested()) {
            MR_CHECK(saveCheckpoint());
            return makeError(Code::Cancelled, str("Stopped in epoch ", m_position.epoch + 1, " of ", m_settings.epochs,
                                                  ", step ", m_position.step, "."))
                .advise("Resume it to go on from there.");
        }
        MR_CHECK(trainStep());
        if (m_checkpoints.secondsSinceLast() >= kCheckpointWithinSeconds) MR_CHECK(saveCheckpoint());
    }
    return {};
}

Status Trainer::trainStep()
{
    const double rate = m_schedule.rate(m_position.step, m_position.plateau.reductions);
    MR_CHECK(m_stepper->step(*m_rows, m_position.step, rate));
    m_position.step += 1;
    m_position.stepInEpoch += 1;
    return takeFigures();
}

// Adds up what the steps that are done found out; a GPU is a few steps behind.
Status Trainer::takeFigures()
{
    while (true) {
        MR_TRY(const auto figures, m_stepper->figures());
        if (!figures) return {};
        m_position.rowsSeen += figures->rows;
        m_position.weightSum += figures->weight;
        m_position.lossSum += figures->loss * figures->weight;
        m_position.correctSum += figures->correct;
        m_observer.metric("train.batch_loss", figures->step + 1, figures->loss);
        reportProgress(*figures);
    }
}

Status Trainer::finishSteps()
{
    MR_CHECK(m_stepper->finish());
    return takeFigures();
}

void Trainer::reportProgress(const StepFigures& figures)
{
    const double rowsPerStep =
        static_cast<double>(m_input.train->rows()) / static_cast<double>(m_rows->stepsPerEpoch());
    protocol::Progress progress = m_meter.at(figures.step + 1, rowsPerStep);
    progress.epoch = m_position.epoch + 1;
    progress.epochs = m_settings.epochs;
    progress.loss = figures.loss;
    if (m_stepper->countsCorrect())
        progress.accuracy = m_position.correctSum / static_cast<double>(m_position.rowsSeen);
    m_observer.advanced(progress);
}

// Measures on the validation rows and returns the loss.
Result<double> Trainer::validate(std::int64_t epoch)
{
    MR_TRY(const Evaluation evaluation, m_evaluator->run(*m_input.validation));
    for (const auto& [name, value] : metricsOf(evaluation, schema().target, "validation"))
        if (name == "validation.loss" || name == "validation.accuracy" || name == "validation.rmse")
            m_observer.metric(name, epoch, value);
    return evaluation.loss;
}

Status Trainer::finishEpoch()
{
    MR_CHECK(finishSteps());
    const std::int64_t epoch = m_position.epoch + 1;
    double watched = m_position.lossSum / m_position.weightSum;
    m_observer.metric("train.loss", epoch, watched);
    if (m_stepper->countsCorrect())
        m_observer.metric("train.accuracy", epoch, m_position.correctSum / static_cast<double>(m_position.rowsSeen));
    m_observer.metric("train.learning_rate", epoch,
                      m_schedule.rate(m_position.step - 1, m_position.plateau.reductions));
    MR_CHECK(m_stepper->exchangeAverage());
    if (m_input.validation) {
        MR_TRY(watched, validate(epoch));
    }
    if (m_settings.earlyStopping > 0) {
        MR_TRY(const std::int64_t since, m_best.observe(watched, epoch, *m_stepper->weights()));
        m_position.done = since >= m_settings.earlyStopping;
        if (m_position.done)
            m_observer.note(LogLevel::Info,
                            str("Stopped early after epoch ", epoch, "; the best was epoch ", m_best.number(), "."));
    }
    MR_CHECK(m_stepper->exchangeAverage());
    m_position.plateau.observe(watched, m_schedule.patience);
    m_position.epoch = epoch;
    m_position.stepInEpoch = 0;
    m_position.rowsSeen = 0;
    m_position.lossSum = m_position.weightSum = m_position.correctSum = 0;
    if (m_checkpoints.secondsSinceLast() >= kCheckpointSeconds) MR_CHECK(saveCheckpoint());
    return {};
}

Result<formats::Model> Trainer::model()
{
    formats::Model model;
    model.layers = pipeline::layersToJson(m_input.layers);
    model.schema = schema();
    model.preprocessing = m_input.train->preprocessing;
    model.targetOffset = m_scale.offset;
    model.targetFactor = m_scale.factor;
    MR_CHECK(storeTensors(*m_stepper->weights(), model));
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
    MR_TRY(const NodeValues values, NodeValues::create(node, spec));
    SupervisedSettings settings;
    settings.step = stepSettings(values, threads);
    settings.schedule = scheduleOf(values);
    settings.epochs = values.integer("epochs");
    settings.batchSize = values.integer("batch_size");
    settings.warmupEpochs = values.number("warmup");
    settings.stepEpochs = values.integer("step_epochs");
    settings.earlyStopping = values.integer("early_stopping");
    settings.loss = values.text("loss");
    settings.balancedClasses = values.text("class_weights") == "balanced";
    return settings;
}

} // namespace millrace::train
