#include "engine/pipeline/check.h"

#include "engine/pipeline/layer_build.h"
#include "engine/pipeline/model_builder.h"
#include "engine/pipeline/optimizer_types.h"
#include "engine/pipeline/structure.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>

namespace millrace::pipeline {

namespace {
std::string count(std::int64_t number, std::string_view one, std::string_view many)
{
    return str(formatCount(number), " ", number == 1 ? one : many);
}

std::string features(const RowsSchema& schema)
{
    if (schema.vocabulary > 0) return str("vocabulary ", formatCount(schema.vocabulary));
    if (schema.features.rank() == 1) return count(schema.features[0], "column", "columns");
    return schema.features.toString();
}

std::string rowsFact(const RowsSchema& schema)
{
    std::vector<std::string> parts;
    if (schema.rows >= 0 && schema.vocabulary > 0)
        parts.push_back(count(schema.rows, "token", "tokens"));
    else if (schema.rows >= 0)
        parts.push_back(count(schema.rows, "row", "rows"));
    if (schema.features.rank() == 1) parts.push_back(features(schema));
    if (schema.target == TargetKind::Classes)
        parts.push_back(count(static_cast<std::int64_t>(schema.classes.size()), "class", "classes"));
    if (schema.target == TargetKind::Number) parts.push_back(str("predicts ", printable(schema.targetName)));
    return joined(parts, " · ");
}

// What flows on a model link.
struct ModelFlow
{
    std::optional<std::size_t> drawn;    ///< the model.* node, while it is not trained
    std::optional<RowsSchema> trainedOn; ///< known rows that a training node fitted it to
    bool trained = false;
};

// Follows rows and models through the pipeline, stage by stage.
class Flow
{
public:
    Flow(const Document& document, const Catalogue& catalogue, const InspectData& inspect, CheckReport& report)
        : m_document(document), m_catalogue(catalogue), m_inspect(inspect), m_report(report),
          m_modelChecked(document.nodes.size(), false)
    {
    }

    void run()
    {
        m_structure = checkStructure(m_document, m_catalogue, Level::Pipeline, {}, m_report.problems);
        for (const std::size_t index : m_structure.order.nodes)
            if (m_structure.specs[index]) visit(m_document.nodes[index], *m_structure.specs[index], index);
        for (std::size_t i = 0; i < m_document.nodes.size(); ++i)
            if (isModel(i) && !m_modelChecked[i]) checkModel(i, nullptr);
        for (std::size_t i = 0; i < m_document.links.size(); ++i) m_report.linkShapes.push_back(linkShape(i));
        if (m_document.nodes.empty()) warnOfEmptiness();
    }

private:
    bool isModel(std::size_t index) const
    {
        const NodeSpec* spec = m_structure.specs[index];
        return spec && spec->category == "Model";
    }

    void error(const Node& node, std::string message, std::string advice, std::string parameter = {},
               std::string port = {})
    {
        m_report.problems.push_back(
            errorAtNode(makeError(Code::InvalidArgument, std::move(message)).advise(std::move(advice)), node.id,
                        std::move(parameter), std::move(port)));
    }
    void warning(const Node& node, std::string message, std::string advice, std::string parameter = {})
    {
        error(node, std::move(message), std::move(advice), std::move(parameter));
        m_report.problems.back().severity = Severity::Warning;
    }
    void warnOfEmptiness()
    {
        m_report.problems.push_back(warningAtNode(
            makeError(Code::InvalidArgument, "The pipeline is empty.").advise("Add a data node first."), {}));
    }

    const Link* linkInto(const Node& node, const std::string& port) const
    {
        const auto found = m_structure.linkInto.find(str(node.id, ".", port));
        return found == m_structure.linkInto.end() ? nullptr : &m_document.links[found->second];
    }
    const RowsSchema* rowsInto(const Node& node, const std::string& port) const
    {
        const Link* link = linkInto(node, port);
        if (!link) return nullptr;
        const auto found = m_report.rows.find(str(link->from.node, ".", link->from.port));
        return found == m_report.rows.end() ? nullptr : &found->second;
    }
    const ModelFlow* modelInto(const Node& node) const
    {
        const Link* link = linkInto(node, "model");
        if (!link) return nullptr;
        const auto found = m_models.find(link->from.node);
        return found == m_models.end() ? nullptr : &found->second;
    }
    void setRows(const Node& node, std::string_view port, RowsSchema schema)
    {
        m_report.rows[str(node.id, ".", port)] = std::move(schema);
    }
    void setFact(const Node& node, std::string fact)
    {
        if (!fact.empty()) m_report.nodeFacts[node.id] = std::move(fact);
    }

    void visit(const Node& node, const NodeSpec& spec, std::size_t index)
    {
        if (spec.category == "Data") return visitData(node, spec, index);
        if (isModel(index)) {
            m_models[node.id].drawn = index;
            return;
        }
        if (spec.type == "data.split") return visitSplit(node, spec);
        if (spec.type == "data.standardize") return visitStandardize(node);
        if (spec.type == "train.supervised") return visitTrain(node, spec);
        if (spec.type == "evaluate.model") return visitEvaluate(node);
        if (spec.type == "model.register") return visitRegister(node, spec);
    }

    void visitData(const Node& node, const NodeSpec& spec, std::size_t index)
    {
        if (!m_inspect || !m_structure.usable[index]) return;
        auto schema = m_inspect(node, spec);
        if (!schema) {
            std::string parameter = schema.error().subject.parameter;
            Problem problem;
            problem.error = std::move(schema).error();
            problem.error.subject.node = node.id;
            problem.error.subject.parameter = std::move(parameter);
            m_report.problems.push_back(std::move(problem));
            return;
        }
        setFact(node, rowsFact(*schema));
        setRows(node, spec.outputs.front().id, std::move(*schema));
    }

    void visitSplit(const Node& node, const NodeSpec& spec)
    {
        const double fraction = usableValue(node, spec, "train").get<double>();
        const bool stratify = usableValue(node, spec, "stratify").get<bool>();
        setFact(node, str(significant(100 * fraction, 3), " % train", stratify ? " · stratified" : "", " · seed ",
                          usableValue(node, spec, "seed").get<std::int64_t>()));
        const RowsSchema* schema = rowsInto(node, "rows");
        if (!schema) return;
        RowsSchema train = *schema, test = *schema;
        if (schema->rows >= 0) {
            if (schema->rows < 2)
                error(node, str("There is ", count(schema->rows, "row", "rows"), "; a split needs at least 2."),
                      "Take another file.", {}, "rows");
            train.rows = trainRows(schema->rows, fraction);
            test.rows = schema->rows - train.rows;
        }
        setRows(node, "train", std::move(train));
        setRows(node, "test", std::move(test));
    }

    void visitStandardize(const Node& node)
    {
        const RowsSchema* train = rowsInto(node, "train");
        const RowsSchema* test = rowsInto(node, "test");
        if (train) {
            setFact(node, train->image ? "fitted on all training pixels" : str("fitted on ", features(*train)));
            if (test) compare(node, "test", "The training rows", *train, *test);
            setRows(node, "train", *train);
        }
        if (test) setRows(node, "test", *test);
        if (linkUses(node, "test") && !linkInto(node, "test"))
            error(node, "The output Test is used, but the input Test has no link.", "Connect the rows held out to it.",
                  {}, "test");
    }

    bool linkUses(const Node& node, std::string_view port) const
    {
        return std::any_of(m_document.links.begin(), m_document.links.end(),
                           [&](const Link& link) { return link.from.node == node.id && link.from.port == port; });
    }

    // Rows that a model, fitted to other rows, is to read. Says the first thing in which they differ.
    void compare(const Node& node, const std::string& port, std::string_view whose, const RowsSchema& fitted,
                 const RowsSchema& other)
    {
        const std::string advice = "Both must come from the same kind of rows.";
        if (fitted.features != other.features)
            return error(node, str(whose, " are ", features(fitted), ", but these are ", features(other), "."), advice,
                         {}, port);
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

    void visitTrain(const Node& node, const NodeSpec& spec)
    {
        const RowsSchema* train = rowsInto(node, "train");
        const ModelFlow* model = modelInto(node);
        setFact(node, trainFact(node, spec));
        checkTraining(node, spec, train);
        if (const RowsSchema* validation = rowsInto(node, "validation"); train && validation)
            compare(node, "validation", "The training rows", *train, *validation);
        if (model && model->trained)
            error(node, "This model is already trained; it cannot be trained further.",
                  "Connect a model node such as Layers or MLP.", {}, "model");
        else if (model && model->drawn && train)
            checkModel(*model->drawn, train);
        ModelFlow& result = m_models[node.id];
        result.trained = true;
        if (train) result.trainedOn = *train;
    }

    void checkTraining(const Node& node, const NodeSpec& spec, const RowsSchema* train)
    {
        if (usableValue(node, spec, "early_stopping").get<std::int64_t>() > 0 && !linkInto(node, "validation"))
            error(node, "Early stopping watches the validation loss, but there are no validation rows.",
                  "Connect rows to Validation, or set early stopping to 0.", "early_stopping");
        const double warmup = usableValue(node, spec, "warmup").get<double>();
        const auto epochs = usableValue(node, spec, "epochs").get<std::int64_t>();
        if (warmup > static_cast<double>(epochs))
            warning(node,
                    str("The warm-up of ", warmup, " epochs is longer than the training of ",
                        count(epochs, "epoch", "epochs"), "."),
                    "The learning rate never reaches its value.", "warmup");
        if (!train) return;
        if (train->target == TargetKind::None)
            error(node, "These rows have no target, so there is nothing to learn.", "Choose a target column.", {},
                  "train");
        if (train->target == TargetKind::Classes && train->rows >= 0 && train->classes.size() < 2)
            error(node,
                  str("All rows are of one class",
                      train->classes.empty() ? "" : str(", '", printable(train->classes[0]), "'"), "."),
                  "Training needs at least two.", {}, "train");
        if (train->rows == 0)
            error(node, "There are no rows to train on.", "Take another file or a larger part.", {}, "train");
    }

    static std::string trainFact(const Node& node, const NodeSpec& spec)
    {
        const auto optimizer = usableValue(node, spec, "optimizer").get<std::string>();
        return str(count(usableValue(node, spec, "epochs").get<std::int64_t>(), "epoch", "epochs"), " · ",
                   findOptimizer(optimizer)->title, " ", usableValue(node, spec, "learning_rate").get<double>(), " · ",
                   usableValue(node, spec, "schedule").get<std::string>());
    }

    // Whether the model that comes in is trained; a model.* node alone has no weights yet.
    bool needsTrained(const Node& node, const ModelFlow* model)
    {
        if (!model || model->trained) return true;
        error(node, "This model is not trained yet.", "Put a Train node between.", {}, "model");
        return false;
    }

    void visitEvaluate(const Node& node)
    {
        const ModelFlow* model = modelInto(node);
        const RowsSchema* rows = rowsInto(node, "rows");
        if (rows) setFact(node, rows->target == TargetKind::Number ? "RMSE · MAE · R²" : "accuracy · confusion matrix");
        if (!needsTrained(node, model) || !model || !model->trainedOn || !rows) return;
        compare(node, "rows", "The rows that the model was trained on", *model->trainedOn, *rows);
    }

    void visitRegister(const Node& node, const NodeSpec& spec)
    {
        needsTrained(node, modelInto(node));
        const Json name = usableValue(node, spec, "name");
        const auto alias = usableValue(node, spec, "alias").get<std::string>();
        if (name.is_string()) setFact(node, str("as ", name.get<std::string>(), alias.empty() ? "" : " · " + alias));
    }

    // Its layers, against the rows that it is trained on where those are known.
    void checkModel(std::size_t index, const RowsSchema* schema)
    {
        const Node& node = m_document.nodes[index];
        m_modelChecked[index] = true;
        if (!m_structure.usable[index]) return;
        auto layers = expandModel(node, m_catalogue, schema ? *schema : RowsSchema{});
        if (!layers) {
            m_report.problems.push_back(errorAtNode(std::move(layers).error(), node.id, "layers"));
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
            if (node.type != "model.layers") problem.error.subject.node = node.id;
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
    bool isKnown(const Problem& problem) const
    {
        return std::any_of(m_report.problems.begin(), m_report.problems.end(), [&](const Problem& other) {
            return other.error.subject == problem.error.subject && other.error.message == problem.error.message;
        });
    }

    // The shape of a row where it comes from a file, the number of rows where they were divided.
    std::string linkShape(std::size_t index) const
    {
        const Link& link = m_document.links[index];
        if (!m_structure.linkValid[index]) return {};
        const auto found = m_report.rows.find(str(link.from.node, ".", link.from.port));
        if (found == m_report.rows.end()) return {};
        const NodeSpec* spec = m_structure.specs[m_structure.indices.at(link.from.node)];
        if (spec->category == "Data" || found->second.rows < 0) return features(found->second);
        return formatCount(found->second.rows);
    }

    const Document& m_document;
    const Catalogue& m_catalogue;
    const InspectData& m_inspect;
    CheckReport& m_report;
    Structure m_structure;
    std::map<std::string, ModelFlow> m_models; ///< by the node that gives it
    std::vector<bool> m_modelChecked;
};
} // namespace

bool CheckReport::ok() const
{
    return std::none_of(problems.begin(), problems.end(),
                        [](const Problem& problem) { return problem.severity == Severity::Error; });
}

CheckReport check(const Document& document, const Catalogue& catalogue, const InspectData& inspect)
{
    CheckReport report;
    if (document.readOnly) {
        Problem problem;
        problem.error = makeError(Code::NewerFormat, str("The pipeline's format '", printable(document.format),
                                                         "' is newer than this Millrace knows (millrace/1)."))
                            .advise("It can be looked at but neither changed nor run; a newer Millrace can.");
        report.problems.push_back(std::move(problem));
    }
    Flow(document, catalogue, inspect, report).run();
    return report;
}

nlohmann::json toJson(const CheckReport& report)
{
    nlohmann::json json;
    json["ok"] = report.ok();
    json["problems"] = nlohmann::json::array();
    for (const Problem& problem : report.problems) {
        nlohmann::json entry{{"severity", problem.severity == Severity::Error ? "error" : "warning"},
                             {"code", codeName(problem.error.code)},
                             {"message", problem.error.message}};
        const auto add = [&](const char* key, const std::string& value) {
            if (!value.empty()) entry[key] = value;
        };
        add("advice", problem.error.advice);
        add("node", problem.error.subject.node);
        add("parameter", problem.error.subject.parameter);
        add("port", problem.port);
        add("file", problem.error.subject.file);
        if (problem.error.subject.line > 0) entry["line"] = problem.error.subject.line;
        if (problem.error.subject.column > 0) entry["column"] = problem.error.subject.column;
        if (problem.link) entry["link"] = *problem.link;
        json["problems"].push_back(std::move(entry));
    }
    json["nodes"] = report.nodeFacts;
    json["links"] = report.linkShapes;
    json["rows"] = nlohmann::json::object();
    for (const auto& [port, schema] : report.rows) json["rows"][port] = toJson(schema);
    return json;
}

} // namespace millrace::pipeline
