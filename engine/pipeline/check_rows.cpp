// Where rows come from, and what is done to them before a model sees them.
#include "engine/pipeline/check_flow.h"

#include <algorithm>

namespace millrace::pipeline {

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

namespace {
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
} // namespace

void Flow::visitData(const Node& node, const NodeSpec& spec, std::size_t index)
{
    if (linkInto(node, "rows")) return visitPreparation(node, spec); // rows that it keeps, not those that it has
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

void Flow::visitSplit(const Node& node, const NodeSpec& spec)
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

void Flow::visitStandardize(const Node& node)
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
        error(node, "The output Test is used, but the input Test has no link.", "Connect the rows held out to it.", {},
              "test");
}

// What goes in comes out, at the port of the same name or from the first one; how many rows are left is known only when
// it has run.
void Flow::visitPreparation(const Node& node, const NodeSpec& spec)
{
    if (const RowsSchema* rows = rowsInto(node, "rows"); spec.type == "data.augment" && rows && !rows->image)
        error(node, "These rows are no images; only images can be augmented.",
              "Take the node out, or connect rows of images to it.", {}, "rows");
    for (const PortSpec& output : spec.outputs) {
        const RowsSchema* schema = rowsInto(node, output.id);
        if (!schema && !spec.inputs.empty()) schema = rowsInto(node, spec.inputs.front().id);
        if (!schema || output.type != PortType::Rows) continue;
        RowsSchema prepared = *schema;
        prepared.rows = -1;
        setRows(node, output.id, std::move(prepared));
    }
}

} // namespace millrace::pipeline
