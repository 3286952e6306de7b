#include "engine/train/language.h"

#include "engine/train/checkpoint.h"
#include "engine/train/language_evaluator.h"
#include "engine/train/model_tensors.h"
#include "engine/train/progress_meter.h"
#include "engine/train/stepper.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::train {

namespace {

// All that a resumed run needs beside the tensors.
struct Position
{
    std::int64_t step = 0; // finished steps
    double lossSum = 0;    // over the windows since the last measurement
    double weightSum = 0;
    Plateau plateau;

    nlohmann::json toJson() const
    {
        return {{"step", step}, {"loss_sum", lossSum}, {"weight_sum", weightSum}, {"plateau", train::toJson(plateau)}};
    }
    static Position fromJson(const nlohmann::json& json)
    {
        Position p;
        p.step = json.value("step", p.step);
        p.lossSum = json.value("loss_sum", p.lossSum);
        p.weightSum = json.value("weight_sum", p.weightSum);
        p.plateau = plateauFromJson(json.value("plateau", nlohmann::json::object()));
        return p;
    }
};

class Trainer
{
public:
    Trainer(const LanguageSettings& settings, const LanguageInput& input, Observer& observer,
            formats::CheckpointStore& checkpoints, std::stop_token stop)
        : m_settings(settings), m_input(input), m_observer(observer), m_checkpoints(checkpoints, observer),
          m_stop(std::move(stop)), m_schedule(settings.schedule)
    {
    }

    Status prepare();
    Status run();
    Result<formats::Model> model();

private:
    Status trainStep();
    Status takeFigures();
    Status finishSteps();
    Status measure();
    Status restore();
    Status saveCheckpoint();

    const LanguageSettings& m_settings;
    const LanguageInput& m_input;
    Observer& m_observer;
    Checkpoints m_checkpoints;
    std::stop_token m_stop;

    Schedule m_schedule;
    std::unique_ptr<TokenWindows> m_windows;
    std::unique_ptr<Stepper> m_stepper;
    std::unique_ptr<LanguageEvaluator> m_evaluator; // null: nothing is held out
    Position m_position;
    ProgressMeter m_meter;
};

Status tooShort(const char* part, std::size_t tokens, std::int64_t context)
{
    return makeError(Code::InvalidArgument,
                     str("The part of the text to ", part, " has ", formatCount(static_cast<std::int64_t>(tokens)),
                         " tokens; a window of ", context, " takes at least ", context + 1, "."))
        .advise("Take a longer text or a smaller context.");
}

Status Trainer::prepare()
{
    MR_CHECK(m_schedule.check());
    m_schedule.totalSteps = m_settings.steps;
    const StepSettings& step = m_settings.step;
    MR_TRY(const std::int64_t rows, microBatch(m_settings.batchSize, step.accumulation));

    const std::span<const std::int32_t> ids = m_input.tokens->ids;
    const auto held = static_cast<std::size_t>(std::llround(m_settings.validation * static_cast<double>(ids.size())));
    const auto train = ids.first(ids.size() - std::min(held, ids.size()));
    const auto least = static_cast<std::size_t>(m_settings.context) + 1;
    if (train.size() < least) return tooShort("train on", train.size(), m_settings.context);
    if (held > 0 && held < least) return tooShort("measure on", held, m_settings.context);

    const TrainingModel model{m_input.layers,
                              m_input.catalogue,
                              windowSchema(*m_input.tokens, m_settings.context),
                              compile::Loss::CrossEntropy,
                              {}};
    m_windows = std::make_unique<TokenWindows>(train, m_settings.context, rows, step.accumulation, step.seed);
    MR_TRY(m_stepper, Stepper::create(model, step, {rows}));
    if (held > 0) {
        MR_TRY(m_evaluator, LanguageEvaluator::create(model, m_stepper->weights(), ids.last(held), rows, step.threads));
    }
    MR_CHECK(restore());
    m_meter = ProgressMeter(m_position.step, m_settings.steps);
    return {};
}

Status Trainer::restore()
{
    MR_TRY(const auto found, m_checkpoints.load());
    if (!found) return {};
    m_position = Position::fromJson(found->folder.meta);
    MR_TRY(const NamedBytes all, m_stepper->state());
    MR_CHECK(Checkpoints::restore(*found, all));
    return m_stepper->restored();
}

Status Trainer::saveCheckpoint()
{
    MR_CHECK(finishSteps());
    MR_TRY(const NamedBytes all, m_stepper->state());
    return m_checkpoints.save(m_position.step, 0, all, m_position.toJson());
}

Status Trainer::run()
{
    while (m_position.step < m_settings.steps) {
        if (m_stop.stop_requested()) {
            MR_CHECK(saveCheckpoint());
            return makeError(Code::Cancelled, str("Stopped at step ", m_position.step, " of ", m_settings.steps, "."))
                .advise("Resume it to go on from there.");
        }
        MR_CHECK(trainStep());
        const bool measures = m_position.step % m_settings.evaluateEvery == 0 || m_position.step == m_settings.steps;
        if (measures) MR_CHECK(measure());
        if (m_checkpoints.secondsSinceLast() >= (measures ? kCheckpointSeconds : kCheckpointWithinSeconds))
            MR_CHECK(saveCheckpoint());
    }
    MR_CHECK(m_stepper->exchangeAverage());
    return m_observer.flush(false);
}

Status Trainer::trainStep()
{
    m_windows->goTo(m_position.step);
    const double rate = m_schedule.rate(m_position.step, m_position.plateau.reductions);
    MR_CHECK(m_stepper->step(*m_windows, m_position.step, rate));
    m_position.step += 1;
    return takeFigures();
}

// Adds up what the steps that are done found out; a GPU is a few steps behind.
Status Trainer::takeFigures()
{
    while (true) {
        MR_TRY(const auto figures, m_stepper->figures());
        if (!figures) return {};
        m_position.weightSum += figures->weight;
        m_position.lossSum += figures->loss * figures->weight;
        m_observer.metric("train.batch_loss", figures->step + 1, figures->loss);
        protocol::Progress progress =
            m_meter.at(figures->step + 1, static_cast<double>(m_settings.batchSize * m_settings.context));
        progress.loss = figures->loss;
        m_observer.advanced(progress);
    }
}

Status Trainer::finishSteps()
{
    MR_CHECK(m_stepper->finish());
    return takeFigures();
}

Status Trainer::measure()
{
    MR_CHECK(finishSteps());
    double watched = m_position.lossSum / m_position.weightSum;
    m_observer.metric("train.loss", m_position.step, watched);
    m_observer.metric("train.learning_rate", m_position.step,
                      m_schedule.rate(m_position.step - 1, m_position.plateau.reductions));
    if (m_evaluator) {
        MR_CHECK(m_stepper->exchangeAverage());
        MR_TRY(watched, m_evaluator->loss());
        MR_CHECK(m_stepper->exchangeAverage());
        m_observer.metric("validation.loss", m_position.step, watched);
        m_observer.metric("validation.perplexity", m_position.step, std::exp(watched));
    }
    m_position.plateau.observe(watched, m_schedule.patience);
    m_position.lossSum = m_position.weightSum = 0;
    return {};
}

Result<formats::Model> Trainer::model()
{
    formats::Model model;
    model.layers = pipeline::layersToJson(m_input.layers);
    model.schema = windowSchema(*m_input.tokens, m_settings.context);
    model.preprocessing.steps.push_back(m_input.tokens->tokenizer);
    MR_CHECK(storeTensors(*m_stepper->weights(), model));
    return model;
}

} // namespace

pipeline::RowsSchema windowSchema(const data::TokenSet& tokens, std::int64_t context)
{
    pipeline::RowsSchema schema = tokens.schema;
    schema.features = Shape{context};
    schema.rows = -1;
    return schema;
}

Result<formats::Model> trainLanguage(const LanguageSettings& settings, const LanguageInput& input, Observer& observer,
                                     formats::CheckpointStore& checkpoints, std::stop_token stop)
{
    Trainer trainer(settings, input, observer, checkpoints, std::move(stop));
    MR_CHECK(trainer.prepare());
    MR_CHECK(trainer.run());
    return trainer.model();
}

Result<LanguageSettings> languageSettings(const pipeline::Node& node, const pipeline::NodeSpec& spec, int threads)
{
    MR_TRY(const NodeValues values, NodeValues::create(node, spec));
    LanguageSettings settings;
    settings.step = stepSettings(values, threads);
    settings.schedule = scheduleOf(values);
    settings.schedule.warmup = std::llround(values.number("warmup"));
    settings.schedule.length = values.integer("step_length");
    settings.steps = values.integer("steps");
    settings.context = values.integer("context");
    settings.batchSize = values.integer("batch_size");
    settings.validation = values.number("validation");
    settings.evaluateEvery = values.integer("evaluate_every");
    return settings;
}

} // namespace millrace::train
