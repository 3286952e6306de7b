#include "engine/run/stage.h"

#include "engine/data/image_repeats.h"
#include "engine/data/standardize.h"
#include "engine/formats/checkpoint_store.h"
#include "engine/pipeline/model_builder.h"
#include "engine/run/data_stages.h"
#include "engine/run/gpu_memory.h"
#include "engine/run/stage_results.h"
#include "engine/train/evaluator.h"
#include "engine/train/language.h"
#include "engine/train/supervised.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <array>

namespace millrace::run {

namespace {

Result<StageResult> loadTokens(StageContext& context)
{
    MR_TRY(data::TokenSet tokens, data::loadTokens(context.node, context.spec, context.folders, context.stop));
    for (const std::string& note : tokens.notes) context.events.note(LogLevel::Info, note);
    StageResult result;
    result.summary =
        str(formatCount(tokens.schema.rows), " tokens · vocabulary ", formatCount(tokens.schema.vocabulary));
    result.outputs["tokens"].tokens = std::make_shared<const data::TokenSet>(std::move(tokens));
    return result;
}

Result<StageResult> designModel(StageContext& context)
{
    StageResult result;
    result.outputs["model"].design = std::make_shared<const pipeline::Node>(context.node);
    return result;
}

// What was measured on the validation rows last, for the stage's summary.
class Watching : public train::Observer
{
public:
    explicit Watching(StageEvents& events) : m_events(events) {}
    void metric(std::string_view name, std::int64_t step, double value) override
    {
        if (name == "validation.accuracy" || name == "validation.rmse" || name == "validation.perplexity" ||
            (m_name.empty() && name == "train.loss") || name == m_name) {
            m_name = name;
            m_value = value;
        }
        m_events.metric(name, step, value);
    }
    void advanced(const protocol::Progress& progress) override { m_events.advanced(progress); }
    void note(LogLevel level, std::string_view text) override { m_events.note(level, text); }
    void checkpointSaved(const train::CheckpointNote& checkpoint) override { m_events.checkpointSaved(checkpoint); }
    Status flush(bool durable) override { return m_events.flush(durable); }
    std::string summary() const
    {
        std::string words = m_name;
        for (char& c : words)
            if (c == '.') c = ' ';
        return m_name.empty() ? std::string() : str(words, " ", significant(m_value, 4));
    }

private:
    StageEvents& m_events;
    std::string m_name;
    double m_value = 0;
};

/// The rows to train on and those held out (null where none are linked), with nothing missing.
struct TrainingRows
{
    std::shared_ptr<const data::Dataset> train, held;
};

Result<TrainingRows> trainingRows(StageContext& context)
{
    MR_TRY(const Value* train, context.input("train"));
    const auto validation = context.inputs.find("validation");
    TrainingRows rows{train->rows, validation == context.inputs.end() ? nullptr : validation->second.rows};
    if (!data::lacksFill(*rows.train)) return rows;
    MR_TRY(data::SplitRows parts, data::filled(*rows.train, rows.held.get(), context.stop));
    emitNewNotes(context, *rows.train, parts.train);
    rows.train = shared(std::move(parts.train));
    if (rows.held) rows.held = shared(std::move(parts.test));
    return rows;
}

/// Trains by `train`. Where the GPU's memory turns out to be too small, the run may go on from its last checkpoint with
/// batches in smaller parts.
template <class Settings, class Train>
Result<formats::Model> trainedInMemory(StageContext& context, Settings& settings, const Train& train)
{
    for (;;) {
        auto trained = train();
        if (trained || trained.error().code != Code::OutOfMemory || !context.device) return trained;
        std::int64_t& accumulation = settings.step.accumulation;
        const std::int64_t next = nextAccumulation(settings.batchSize, accumulation);
        if (!context.fitMemory || next == 0)
            return std::move(trained).error().advise(
                str("The last checkpoint is whole. ",
                    next == 0 ? str("Take a smaller model.")
                              : str("Run with --fit-memory, or with gradient_accumulation ", next, "."),
                    " Another program may be using the GPU's memory."));
        context.events.note(LogLevel::Warning, str(trained.error().message, " Its batches are divided: ",
                                                   "gradient_accumulation ", next, " instead of ", accumulation, "."));
        accumulation = next;
    }
}

Result<StageResult> trainModel(StageContext& context)
{
    MR_TRY(const Value* model, context.input("model"));
    if (!model->design)
        return makeError(Code::Unsupported, "This model is trained already.")
            .atNode(context.node.id)
            .advise("Link a model node, such as Layers or MLP, to it.");
    MR_TRY(const TrainingRows rows, trainingRows(context));
    MR_TRY(auto settings, train::supervisedSettings(context.node, context.spec, context.threads));
    settings.step.device = context.device;
    MR_TRY(const pipeline::Document layers,
           pipeline::expandModel(*model->design, context.catalogue, rows.train->schema));
    MR_TRY(auto checkpoints, formats::CheckpointStore::open(joinPath(context.folder.checkpoints(), context.node.id)));
    Watching watching(context.events);
    if (const auto repeated = rows.held ? data::repeatedImages(*rows.train, *rows.held) : 0; repeated > 0)
        context.events.note(LogLevel::Warning,
                            str(formatCount(repeated), " of the ", formatCount(rows.held->rows()),
                                " validation images are also among the training images; they measure nothing."));
    const train::SupervisedInput input{rows.train, rows.held, layers, context.catalogue};
    MR_TRY(formats::Model trained, trainedInMemory(context, settings, [&] {
               return train::trainSupervised(settings, input, watching, checkpoints, context.stop);
           }));
    StageResult result;
    result.summary = watching.summary();
    result.outputs["model"].model = std::make_shared<const formats::Model>(std::move(trained));
    result.outputs["metrics"] = {};
    return result;
}

Result<StageResult> trainLanguage(StageContext& context)
{
    MR_TRY(const Value* tokens, context.input("tokens"));
    MR_TRY(const Value* model, context.input("model"));
    if (!model->design)
        return makeError(Code::Unsupported, "This model is trained already.")
            .atNode(context.node.id)
            .advise("Link a model node, such as GPT, to it.");
    MR_TRY(auto settings, train::languageSettings(context.node, context.spec, context.threads));
    settings.step.device = context.device;
    const pipeline::RowsSchema windows = train::windowSchema(*tokens->tokens, settings.context);
    MR_TRY(const pipeline::Document layers, pipeline::expandModel(*model->design, context.catalogue, windows));
    MR_TRY(auto checkpoints, formats::CheckpointStore::open(joinPath(context.folder.checkpoints(), context.node.id)));
    Watching watching(context.events);
    const train::LanguageInput input{tokens->tokens, layers, context.catalogue};
    MR_TRY(formats::Model trained, trainedInMemory(context, settings, [&] {
               return train::trainLanguage(settings, input, watching, checkpoints, context.stop);
           }));
    StageResult result;
    result.summary = watching.summary();
    result.outputs["model"].model = std::make_shared<const formats::Model>(std::move(trained));
    result.outputs["metrics"] = {};
    return result;
}

void emitConfusion(StageContext& context, const formats::Model& model, const train::Evaluation& evaluation)
{
    nlohmann::json classes = nlohmann::json::array();
    const auto figures = train::classFigures(evaluation);
    for (std::size_t c = 0; c < figures.size(); ++c)
        classes.push_back({{"name", model.schema.classes[c]},
                           {"rows", figures[c].rows},
                           {"precision", figures[c].precision},
                           {"recall", figures[c].recall},
                           {"f1", figures[c].f1}});
    context.events.emit("artifact", {{"stage", context.node.id},
                                     {"role", "confusion"},
                                     {"classes", model.schema.classes},
                                     {"counts", evaluation.confusion},
                                     {"figures", std::move(classes)}});
}

Result<StageResult> evaluateModel(StageContext& context)
{
    MR_TRY(const Value* model, context.input("model"));
    MR_TRY(const Value* given, context.input("rows"));
    if (!model->model)
        return makeError(Code::InvalidArgument, "This model is not trained yet.")
            .atNode(context.node.id)
            .advise("Link the model that comes out of Train.");
    MR_TRY(const auto rows, train::asTrained(given->rows, *model->model));
    MR_TRY(auto evaluator,
           train::Evaluator::create(*model->model, context.catalogue, {context.threads, context.device}));
    MR_TRY(const train::Evaluation evaluation, evaluator.run(*rows));
    const auto kind = model->model->schema.target;
    for (const auto& [name, value] : train::metricsOf(evaluation, kind, "test")) context.events.metric(name, 1, value);
    StageResult result;
    if (kind == pipeline::TargetKind::Classes) {
        emitConfusion(context, *model->model, evaluation);
        result.summary =
            str("accuracy ", significant(evaluation.accuracy, 4), " on ", formatCount(evaluation.rows), " rows");
    } else {
        result.summary = str("RMSE ", significant(evaluation.rmse, 4), " on ", formatCount(evaluation.rows), " rows");
    }
    result.outputs["metrics"] = {};
    return result;
}

Result<StageResult> registerModel(StageContext& context)
{
    MR_TRY(const Value* model, context.input("model"));
    if (!model->model)
        return makeError(Code::InvalidArgument, "This model is not trained yet.")
            .atNode(context.node.id)
            .advise("Link the model that comes out of Train.");
    const auto text = [&](std::string_view id) {
        const auto value = pipeline::paramValue(context.node, context.spec, id);
        return value.is_string() ? value.get<std::string>() : std::string();
    };
    const std::string relative = str("artifacts/", context.node.id);
    const std::string folder = joinPath(context.folder.path, relative);
    MR_CHECK(makeDirectories(folder));
    MR_TRY(const formats::SavedModel saved, formats::saveModel(*model->model, folder));
    MR_CHECK(context.events.flush(false));
    MR_TRY(const nlohmann::json metrics, lastMetricsOf(context.folder.journal()));
    nlohmann::json fields{{"stage", context.node.id},
                          {"role", "model"},
                          {"name", text("name")},
                          {"path", relative},
                          {"sha256", saved.sha256},
                          {"bytes", saved.sizeBytes},
                          {"classes", model->model->schema.classes},
                          {"metrics", metrics}};
    if (const std::string alias = text("alias"); !alias.empty()) fields["alias"] = alias;
    context.events.emit("artifact", std::move(fields));
    StageResult result;
    result.summary = str(text("name"), " · ", formatBytes(static_cast<double>(saved.sizeBytes)));
    result.outputs["version"] = {};
    return result;
}

struct Row
{
    std::string_view type;
    StageFunction function;
};
constexpr auto kStages = std::to_array<Row>({
    {"data.builtin", loadData},
    {"data.csv", loadData},
    {"data.idx", loadData},
    {"data.split", splitData},
    {"data.standardize", scaleData},
    {"data.scale", scaleData},
    {"data.shards", shardData},
    {"data.sample", sampleData},
    {"data.clean", cleanData},
    {"data.encode", encodeData},
    {"model.layers", designModel},
    {"model.mlp", designModel},
    {"model.lenet", designModel},
    {"model.resnet", designModel},
    {"model.mobilenet", designModel},
    {"model.lstm", designModel},
    {"model.gpt", designModel},
    {"train.supervised", trainModel},
    {"train.language", trainLanguage},
    {"evaluate.model", evaluateModel},
    {"model.register", registerModel},
    {"data.text", loadTokens},
    {"data.image_folder", loadData},
    {"data.augment", augmentData},
});

} // namespace

Result<const Value*> StageContext::input(std::string_view port) const
{
    const auto found = inputs.find(std::string(port));
    if (found == inputs.end())
        return makeError(Code::InvalidArgument, str("Nothing is linked to the input \"", port, "\"."))
            .atNode(node.id)
            .advise("Draw a link to it.");
    return &found->second;
}

StageFunction stageFunction(std::string_view type)
{
    for (const Row& row : kStages)
        if (row.type == type) return row.function;
    return nullptr;
}

} // namespace millrace::run
