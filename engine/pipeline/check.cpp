#include "engine/pipeline/check.h"

#include "engine/pipeline/check_flow.h"

#include <algorithm>

namespace millrace::pipeline {

void Flow::run()
{
    m_structure = checkStructure(m_document, m_catalogue, Level::Pipeline, {}, m_report.problems);
    for (const std::size_t index : m_structure.order.nodes)
        if (m_structure.specs[index]) visit(m_document.nodes[index], *m_structure.specs[index], index);
    for (std::size_t i = 0; i < m_document.nodes.size(); ++i)
        if (isModel(i) && !m_modelChecked[i]) checkModel(i, nullptr);
    for (std::size_t i = 0; i < m_document.links.size(); ++i) m_report.linkShapes.push_back(linkShape(i));
    if (m_document.nodes.empty()) warnOfEmptiness();
}

void Flow::visit(const Node& node, const NodeSpec& spec, std::size_t index)
{
    if (spec.category == "Data") return visitData(node, spec, index);
    if (isModel(index)) {
        m_models[node.id].drawn = index;
        return;
    }
    if (spec.type == "data.split") return visitSplit(node, spec);
    if (spec.type == "data.standardize") return visitStandardize(node);
    if (spec.category == "Prepare") return visitPreparation(node, spec);
    if (spec.type == "train.language") return visitLanguage(node, spec);
    if (spec.type == "train.supervised") return visitTrain(node, spec);
    if (spec.type == "evaluate.model") return visitEvaluate(node);
    if (spec.type == "model.register") return visitRegister(node, spec);
}

bool Flow::isModel(std::size_t index) const
{
    const NodeSpec* spec = m_structure.specs[index];
    return spec && spec->category == "Model";
}

void Flow::error(const Node& node, std::string message, std::string advice, std::string parameter, std::string port)
{
    m_report.problems.push_back(
        errorAtNode(makeError(Code::InvalidArgument, std::move(message)).advise(std::move(advice)), node.id,
                    std::move(parameter), std::move(port)));
}

void Flow::warning(const Node& node, std::string message, std::string advice, std::string parameter)
{
    error(node, std::move(message), std::move(advice), std::move(parameter));
    m_report.problems.back().severity = Severity::Warning;
}

void Flow::warnOfEmptiness()
{
    m_report.problems.push_back(
        warningAtNode(makeError(Code::InvalidArgument, "The pipeline is empty.").advise("Add a data node first."), {}));
}

const Link* Flow::linkInto(const Node& node, const std::string& port) const
{
    const auto found = m_structure.linkInto.find(str(node.id, ".", port));
    return found == m_structure.linkInto.end() ? nullptr : &m_document.links[found->second];
}

bool Flow::linkUses(const Node& node, std::string_view port) const
{
    return std::any_of(m_document.links.begin(), m_document.links.end(),
                       [&](const Link& link) { return link.from.node == node.id && link.from.port == port; });
}

const RowsSchema* Flow::rowsInto(const Node& node, const std::string& port) const
{
    const Link* link = linkInto(node, port);
    if (!link) return nullptr;
    const auto found = m_report.rows.find(str(link->from.node, ".", link->from.port));
    return found == m_report.rows.end() ? nullptr : &found->second;
}

const ModelFlow* Flow::modelInto(const Node& node) const
{
    const Link* link = linkInto(node, "model");
    if (!link) return nullptr;
    const auto found = m_models.find(link->from.node);
    return found == m_models.end() ? nullptr : &found->second;
}

void Flow::setRows(const Node& node, std::string_view port, RowsSchema schema)
{
    m_report.rows[str(node.id, ".", port)] = std::move(schema);
}

void Flow::setFact(const Node& node, std::string fact)
{
    if (!fact.empty()) m_report.nodeFacts[node.id] = std::move(fact);
}

// The shape of a row where it comes from a file, the number of rows where they were divided.
std::string Flow::linkShape(std::size_t index) const
{
    const Link& link = m_document.links[index];
    if (!m_structure.linkValid[index]) return {};
    const auto found = m_report.rows.find(str(link.from.node, ".", link.from.port));
    if (found == m_report.rows.end()) return {};
    const NodeSpec* spec = m_structure.specs[m_structure.indices.at(link.from.node)];
    if (spec->category == "Data" || found->second.rows < 0) return features(found->second);
    return formatCount(found->second.rows);
}

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
