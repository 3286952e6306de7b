// Where models come from, what they are trained on, and what is done with them then.
#include "engine/pipeline/check_flow.h"
#include "engine/pipeline/layer_build.h"
#include "engine/pipeline/model_builder.h"
#include "engine/pipeline/optimizer_types.h"

#include <algorithm>
#include <cmath>

namespace millrace::pipeline {

namespace {
std::string trainFact(const Node& node, const NodeSpec& spec, std::string_view length)
{
    const auto optimizer = usableValue(node, spec, "optimizer").get<std::string>();
    return str(count(usableValue(node, spec, length).get<std::int64_t>(), length.substr(0, length.size() - 1), length),
               " · ", findOptimizer(optimizer)->title, " ", usableValue(node, spec, "learning_rate").get<double>(),
               " · ", usableValue(node, spec, "schedule").get<std::string>());
}
} // namespace

void Flow::compare(const Node& node, const std::string& port, std::string_view whose, const RowsSchema& fitted,
                   const RowsSchema& other)
{
    const std::string advice = "Both must come from the same kind of rows.";
    if (fitted.features != other.features)
        return error(node, str(whose, " are ", features(fitted), ", but these are ", features(other), "."), advice, {},
                     port);
    for (std::size_t i = 0; i < std::min(fitted.columns.size(), other.columns.size()); ++i)
        if (fitted.columns[i].name != other.columns[i].name)
            return error(node,
                         str(whose, " have the column '", printable(fitted.columns[i].name), "' where these have '",
                             printable(other.columns[i].name), "'."),
                         advice, {}, port);
    if (fitted.target != other.target)
        return error(node, str(whose, " have another kind of target than these."), advice, {}, port);
    // classes of files that were not read to their end are those of a sample
    if (fitted.rows >= 0 && other.rows >= 0 && fitted.classes != other.classes)
        return error(node, str(whose, " have other classes than these."), advice, {}, port);
}

void Flow::checkWarmup(const Node& node, const NodeSpec& spec, std::string_view length)
{
    const double warmup = usableValue(node, spec, "warmup").get<double>();
    const auto whole = usableValue(node, spec, length).get<std::int64_t>();
    if (warmup <= static_cast<double>(whole)) return;
    warning(node,
            str("The warm-up of ", warmup, " ", length, " is longer than the training of ",
                count(whole, length.substr(0, length.size() - 1), length), "."),
            "The learning rate never reaches its value.", "warmup");
}

// A batch is computed in as many parts as gradients are added up, all of one size.
void Flow::checkParts(const Node& node, const NodeSpec& spec)
{
    const auto batch = usableValue(node, spec, "batch_size").get<std::int64_t>();
    const auto parts = usableValue(node, spec, "gradient_accumulation").get<std::int64_t>();
    if (batch % parts == 0) return;
    error(node,
          str("A batch of ", formatCount(batch), " cannot be divided into ", formatCount(parts), " parts of one size."),
          "Take a batch size that is a multiple of the gradient accumulation.", "gradient_accumulation");
}

// The drawn model that comes in, against the rows that it is trained on.
void Flow::takeModel(const Node& node, const RowsSchema* schema)
{
    const ModelFlow* model = modelInto(node);
    if (model && model->trained)
        error(node, "This model is already trained; it cannot be trained further.",
              "Connect a model node such as Layers or MLP.", {}, "model");
    else if (model && model->drawn && schema)
        checkModel(*model->drawn, schema);
    ModelFlow& result = m_models[node.id];
    result.trained = true;
    if (schema) result.trainedOn = *schema;
}

void Flow::visitTrain(const Node& node, const NodeSpec& spec)
{
    const RowsSchema* train = rowsInto(node, "train");
    setFact(node, trainFact(node, spec, "epochs"));
    checkTraining(node, spec, train);
    if (const RowsSchema* validation = rowsInto(node, "validation"); train && validation)
        compare(node, "validation", "The training rows", *train, *validation);
    takeModel(node, train);
}

void Flow::checkTraining(const Node& node, const NodeSpec& spec, const RowsSchema* train)
{
    if (usableValue(node, spec, "early_stopping").get<std::int64_t>() > 0 && !linkInto(node, "validation"))
        error(node, "Early stopping watches the validation loss, but there are no validation rows.",
              "Connect rows to Validation, or set early stopping to 0.", "early_stopping");
    checkWarmup(node, spec, "epochs");
    checkParts(node, spec);
    if (!train) return;
    checkLoss(node, spec, *train);
    if (train->target == TargetKind::None)
        error(node, "These rows have no target, so there is nothing to learn.", "Choose a target column.", {}, "train");
    if (train->target == TargetKind::Classes && train->rows >= 0 && train->classes.size() < 2)
        error(node,
              str("All rows are of one class",
                  train->classes.empty() ? "" : str(", '", printable(train->classes[0]), "'"), "."),
              "Training needs at least two.", {}, "train");
    if (train->rows == 0)
        error(node, "There are no rows to train on.", "Take another file or a larger part.", {}, "train");
}

void Flow::checkLoss(const Node& node, const NodeSpec& spec, const RowsSchema& train)
{
    const auto loss = usableValue(node, spec, "loss").get<std::string>();
    if (loss == "auto" || train.target == TargetKind::None) return;
    const bool forClasses = loss == "cross_entropy" || loss == "binary_cross_entropy";
    if (!forClasses || train.target == TargetKind::Classes) return;
    error(node,
          str("The loss ", loss, " is for classes, but the target",
              train.targetName.empty() ? "" : str(" '", printable(train.targetName), "'"), " is a number."),
          "Take auto, which chooses by the target, or mse, mae or huber.", "loss");
}

void Flow::visitLanguage(const Node& node, const NodeSpec& spec)
{
    setFact(node, trainFact(node, spec, "steps"));
    checkWarmup(node, spec, "steps");
    checkParts(node, spec);
    const RowsSchema* tokens = rowsInto(node, "tokens");
    if (!tokens) return takeModel(node, nullptr);
    checkText(node, spec, *tokens);
    const auto context = usableValue(node, spec, "context").get<std::int64_t>();
    const ModelFlow* model = modelInto(node);
    if (model && model->drawn && m_document.nodes[*model->drawn].type == "model.gpt") {
        const Node& gpt = m_document.nodes[*model->drawn];
        const auto longest = usableValue(gpt, *m_structure.specs[*model->drawn], "context").get<std::int64_t>();
        if (context > longest)
            return error(node,
                         str("The model ", gpt.id, " looks at ", formatCount(longest),
                             " tokens at most, but it would be trained on ", formatCount(context), " at once."),
                         str("Set context to ", longest, " here, or give the model a longer one."), "context");
    }
    const RowsSchema windows = windowsOf(*tokens, context);
    takeModel(node, &windows);
}

// Both parts of the text must hold one window and the token after it.
void Flow::checkText(const Node& node, const NodeSpec& spec, const RowsSchema& tokens)
{
    if (tokens.rows < 0) return;
    const auto context = usableValue(node, spec, "context").get<std::int64_t>();
    const double part = usableValue(node, spec, "validation").get<double>();
    const auto held = static_cast<std::int64_t>(std::llround(static_cast<double>(tokens.rows) * part));
    if (tokens.rows - held <= context)
        error(node,
              str("There are ", count(tokens.rows - held, "token", "tokens"), " to learn from; a context of ",
                  formatCount(context), " needs at least ", formatCount(context + 1), "."),
              "Take a longer text or a shorter context.", "context");
    else if (held > 0 && held <= context)
        error(node,
              str("The part held out has ", count(held, "token", "tokens"), "; a context of ", formatCount(context),
                  " needs at least ", formatCount(context + 1), "."),
              "Hold out a larger part, or none.", "validation");
}

// Whether the model that comes in is trained; a model.* node alone has no weights yet.
bool Flow::needsTrained(const Node& node, const ModelFlow* model)
{
    if (!model || model->trained) return true;
    error(node, "This model is not trained yet.", "Put a Train node between.", {}, "model");
    return false;
}

void Flow::visitEvaluate(const Node& node)
{
    const ModelFlow* model = modelInto(node);
    const RowsSchema* rows = rowsInto(node, "rows");
    if (rows) setFact(node, rows->target == TargetKind::Number ? "RMSE · MAE · R²" : "accuracy · confusion matrix");
    if (!needsTrained(node, model) || !model || !model->trainedOn || !rows) return;
    if (model->trainedOn->vocabulary > 0)
        return error(node, "This is a language model, and these are no texts.",
                     "Train language measures it on the end of its own text while it trains.", {}, "model");
    compare(node, "rows", "The rows that the model was trained on", *model->trainedOn, *rows);
}

void Flow::visitRegister(const Node& node, const NodeSpec& spec)
{
    needsTrained(node, modelInto(node));
    const Json name = usableValue(node, spec, "name");
    const auto alias = usableValue(node, spec, "alias").get<std::string>();
    if (name.is_string()) setFact(node, str("as ", name.get<std::string>(), alias.empty() ? "" : " · " + alias));
}

// Its layers, against the rows that it is trained on where those are known.
void Flow::checkModel(std::size_t index, const RowsSchema* schema)
{
    const Node& node = m_document.nodes[index];
    m_modelChecked[index] = true;
    if (!m_structure.usable[index]) return;
    auto layers = expandModel(node, m_catalogue, schema ? *schema : RowsSchema{});
    if (!layers) {
        std::string parameter = layers.error().subject.parameter;
        Problem problem = errorAtNode(std::move(layers).error(), node.id, std::move(parameter));
        if (!isKnown(problem)) m_report.problems.push_back(std::move(problem));
        return;
    }
    std::vector<Problem> problems;
    LayerBuildOptions options;
    options.schema = schema;
    options.prefix = node.id + "/";
    options.unusedToo = true;
    options.classesAreSample = schema && schema->rows < 0;
    const LayerBuild build = buildLayers(*layers, m_catalogue, options, problems);
    const bool ok = std::none_of(problems.begin(), problems.end(),
                                 [](const Problem& each) { return each.severity == Severity::Error; });
    for (Problem& problem : problems) {
        problem.link.reset(); // it would be one of the layers'
        if (node.type != "model.layers") {
            problem.error.subject.node = node.id;
            std::string& parameter = problem.error.subject.parameter; // the layer's, which the node may not have
            if (!m_structure.specs[index]->param(parameter)) parameter.clear();
        }
        if (!isKnown(problem)) m_report.problems.push_back(std::move(problem));
    }
    std::string fact = count(build.usedLayers(*layers), "layer", "layers");
    if (schema && ok) {
        const std::string flops = formatShort(build.usedFlops(*layers));
        fact += str(" · ", formatShort(static_cast<double>(build.usedParameters())), " parameters · ", flops,
                    flops.find(' ') == std::string::npos ? " FLOP" : "FLOP");
    }
    setFact(node, std::move(fact));
}

// A model that is trained twice is checked twice; its problems are said once.
bool Flow::isKnown(const Problem& problem) const
{
    return std::any_of(m_report.problems.begin(), m_report.problems.end(), [&](const Problem& other) {
        return other.error.subject == problem.error.subject && other.error.message == problem.error.message;
    });
}

} // namespace millrace::pipeline
