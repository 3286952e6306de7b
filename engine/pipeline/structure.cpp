#include "engine/pipeline/structure.h"

#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::pipeline {

namespace {
std::string_view phrase(PortType type)
{
    switch (type) {
    case PortType::Rows:
        return "rows";
    case PortType::Tokens:
        return "tokens";
    case PortType::Model:
        return "a model";
    case PortType::Metrics:
        return "metrics";
    case PortType::Version:
        return "a model version";
    case PortType::Tensor:
        return "a tensor";
    }
    return "?";
}

std::vector<std::string> portNames(const std::vector<PortSpec>& ports)
{
    std::vector<std::string> names;
    for (const PortSpec& port : ports) names.push_back(port.id);
    return names;
}

std::string key(const Endpoint& end)
{
    return str(end.node, ".", end.port);
}

Error noPort(const NodeSpec& spec, std::string_view kind, const std::string& port, const std::vector<PortSpec>& ports)
{
    const auto names = portNames(ports);
    Error error = makeError(Code::NotFound, str(spec.title, " has no ", kind, " '", printable(port), "'."));
    std::string advice = didYouMean(port, names);
    if (advice.empty() && !names.empty()) advice = str("It has ", joined(names, ", "), ".");
    return std::move(error).advise(std::move(advice));
}

// The link's ports and their types; a node of unknown type (null) is not judged.
Status checkPorts(const Link& link, const NodeSpec* from, const NodeSpec* to)
{
    const PortSpec* output = from ? from->output(link.from.port) : nullptr;
    const PortSpec* input = to ? to->input(link.to.port) : nullptr;
    if (from && !output) {
        if (from->input(link.from.port))
            return makeError(Code::InvalidArgument, str("A link starts at an output, but '", link.from.port, "' of ",
                                                        from->title, " is an input."));
        return noPort(*from, "output", link.from.port, from->outputs);
    }
    if (to && !input) {
        if (to->output(link.to.port))
            return makeError(Code::InvalidArgument,
                             str("A link ends at an input, but '", link.to.port, "' of ", to->title, " is an output."));
        return noPort(*to, "input", link.to.port, to->inputs);
    }
    if (output && input && output->type != input->type)
        return makeError(Code::InvalidArgument, str(from->title, " gives ", phrase(output->type),
                                                    ", but this input takes ", phrase(input->type), "."));
    return {};
}

class StructureCheck
{
public:
    StructureCheck(const Document& document, const Catalogue& catalogue, Level level, const std::string& prefix,
                   std::vector<Problem>& problems)
        : m_document(document), m_catalogue(catalogue), m_level(level), m_prefix(prefix), m_problems(problems)
    {
    }

    Structure run()
    {
        for (const Node& node : m_document.nodes) checkNode(node);
        m_result.linkValid.assign(m_document.links.size(), false);
        for (std::size_t i = 0; i < m_document.links.size(); ++i) checkLink(i);
        checkRequiredInputs();
        m_result.order = orderOf(m_document, &m_result.linkValid);
        for (const Cycle& cycle : m_result.order.cycles) reportCycle(cycle);
        return std::move(m_result);
    }

private:
    void report(Error error, const Node& node, std::string parameter = {}, std::string port = {})
    {
        m_problems.push_back(errorAtNode(std::move(error), m_prefix + node.id, std::move(parameter), std::move(port)));
    }

    void checkNode(const Node& node)
    {
        if (!m_result.indices.emplace(node.id, m_result.specs.size()).second)
            report(makeError(Code::AlreadyExists, str("The id '", node.id, "' is used by two nodes."))
                       .advise("Give one of them another."),
                   node);
        const NodeSpec* spec = specOf(node);
        m_result.specs.push_back(spec);
        m_result.usable.push_back(spec && checkParams(node, *spec));
    }

    const NodeSpec* specOf(const Node& node)
    {
        const NodeSpec* spec = m_catalogue.find(node.type);
        const bool isLayer = m_level == Level::Layers;
        if (spec && spec->isLayer == isLayer) return spec;
        if (spec) {
            report(makeError(Code::InvalidArgument,
                             str(spec->title, " (", spec->type, ") is ", spec->isLayer ? "a layer." : "no layer.")),
                   node);
            m_problems.back().error.advice =
                spec->isLayer ? "Layers stand inside a Layers node." : "Only layers stand here.";
            return nullptr;
        }
        std::vector<std::string> names;
        for (const NodeSpec& known : m_catalogue.all())
            if (known.isLayer == isLayer) names.push_back(known.type);
        report(makeError(Code::NotFound, str("This Millrace does not know the type '", printable(node.type), "'."))
                   .advise(didYouMean(node.type, names)),
               node);
        return nullptr;
    }

    bool checkParams(const Node& node, const NodeSpec& spec)
    {
        bool allowed = true;
        for (const ParamSpec& param : spec.params) {
            const auto given = node.params.find(param.id);
            if (given == node.params.end() && (!param.defaultValue.is_null() || !applies(param, node, spec))) continue;
            if (given == node.params.end()) {
                report(makeError(Code::InvalidArgument, str(param.title, " is missing.")).advise(param.help), node,
                       param.id);
                allowed = false;
            } else if (auto status = checkParam(param, *given); !status) {
                report(std::move(status).error(), node, param.id);
                allowed = false;
            } else if (param.kind == ParamKind::Path) {
                warnOfOutsidePath(node, param, given->get<std::string>());
            }
        }
        warnOfUnknownParams(node, spec);
        return allowed;
    }

    // Links to folders are seen only when the file is opened; this is what the text alone tells.
    void warnOfOutsidePath(const Node& node, const ParamSpec& param, const std::string& path)
    {
        int depth = 0;
        bool outside = path.starts_with('/');
        for (const std::string_view part : split(path, '/')) {
            if (part == "..")
                --depth;
            else if (!part.empty() && part != ".")
                ++depth;
            outside = outside || depth < 0;
        }
        if (!outside) return;
        m_problems.push_back(warningAtNode(
            makeError(Code::InvalidArgument,
                      str("The path '", printable(path), "' leads out of the pipeline's folder."))
                .advise("Whoever gets this pipeline may not have that file; beside the pipeline it travels along."),
            m_prefix + node.id, param.id));
    }

    void warnOfUnknownParams(const Node& node, const NodeSpec& spec)
    {
        std::vector<std::string> names;
        for (const ParamSpec& param : spec.params) names.push_back(param.id);
        for (const auto& [id, value] : node.params.items()) {
            if (spec.param(id)) continue;
            m_problems.push_back(
                warningAtNode(makeError(Code::NotFound, str(spec.title, " has no parameter '", printable(id),
                                                            "'; it is kept but has no effect."))
                                  .advise(didYouMean(id, names)),
                              m_prefix + node.id, id));
        }
    }

    std::optional<std::size_t> indexOf(const std::string& id) const
    {
        const auto found = m_result.indices.find(id);
        if (found == m_result.indices.end()) return std::nullopt;
        return found->second;
    }

    void reportLink(Error error, std::size_t index)
    {
        const Link& link = m_document.links[index];
        const bool atTarget = indexOf(link.to.node).has_value();
        const Endpoint& end = atTarget ? link.to : link.from;
        Problem problem = errorAtNode(std::move(error), m_prefix + end.node, {}, end.port);
        problem.link = index;
        m_problems.push_back(std::move(problem));
    }

    void checkLink(std::size_t index)
    {
        const Link& link = m_document.links[index];
        for (const Endpoint* end : {&link.from, &link.to}) {
            if (indexOf(end->node)) continue;
            std::vector<std::string> ids;
            if (m_document.nodes.size() <= 1000) // suggestions are not worth waiting for
                for (const Node& node : m_document.nodes) ids.push_back(node.id);
            return reportLink(makeError(Code::NotFound, str("The link ", key(link.from), " → ", key(link.to),
                                                            " names a node '", end->node, "' that is not there."))
                                  .advise(didYouMean(end->node, ids)),
                              index);
        }
        const NodeSpec* from = m_result.specs[*indexOf(link.from.node)];
        const NodeSpec* to = m_result.specs[*indexOf(link.to.node)];
        if (auto status = checkPorts(link, from, to); !status) return reportLink(std::move(status).error(), index);
        if (!m_result.linkInto.emplace(key(link.to), index).second)
            return reportLink(makeError(Code::InvalidArgument, str("The input '", link.to.port, "' of '", link.to.node,
                                                                   "' has more than one link; it takes one."))
                                  .advise("Remove all but one."),
                              index);
        m_result.linkValid[index] = from && to;
    }

    void checkRequiredInputs()
    {
        std::unordered_map<std::string, bool> linked; // wrong links are reported as such, not also as missing
        for (const Link& link : m_document.links) linked[key(link.to)] = true;
        for (std::size_t i = 0; i < m_document.nodes.size(); ++i) {
            const NodeSpec* spec = m_result.specs[i];
            if (!spec) continue;
            const Node& node = m_document.nodes[i];
            for (const PortSpec& input : spec->inputs) {
                if (!input.required || linked.contains(str(node.id, ".", input.id))) continue;
                report(makeError(Code::InvalidArgument,
                                 str("The input ", input.title, " of ", spec->title, " has no link."))
                           .advise(str("Connect an output that gives ", phrase(input.type), " to it.")),
                       node, {}, input.id);
            }
        }
    }

    void reportCycle(const Cycle& cycle)
    {
        m_result.linkValid[cycle.link] = false;
        m_result.linkInto.erase(key(m_document.links[cycle.link].to));
        reportLink(makeError(Code::InvalidArgument, str(m_level == Level::Layers ? "These layers" : "These nodes",
                                                        " wait for each other: ", describe(cycle, m_document), "."))
                       .advise("Remove one of the links between them."),
                   cycle.link);
    }

    const Document& m_document;
    const Catalogue& m_catalogue;
    Level m_level;
    const std::string& m_prefix;
    std::vector<Problem>& m_problems;
    Structure m_result;
};

// Whether following links from one node leads to the other.
bool reaches(const Document& document, const std::string& from, const std::string& to)
{
    std::unordered_map<std::string_view, std::vector<std::string_view>> next;
    for (const Link& link : document.links) next[link.from.node].push_back(link.to.node);
    std::vector<std::string_view> open{from};
    std::unordered_map<std::string_view, bool> seen;
    while (!open.empty()) {
        const std::string_view node = open.back();
        open.pop_back();
        if (node == to) return true;
        if (!seen.emplace(node, true).second) continue;
        for (const std::string_view following : next[node]) open.push_back(following);
    }
    return false;
}
} // namespace

Structure checkStructure(const Document& document, const Catalogue& catalogue, Level level, const std::string& prefix,
                         std::vector<Problem>& problems)
{
    return StructureCheck(document, catalogue, level, prefix, problems).run();
}

Json usableValue(const Node& node, const NodeSpec& spec, std::string_view id)
{
    const ParamSpec* param = spec.param(id);
    if (!param) return {};
    const auto given = node.params.find(param->id);
    return given != node.params.end() && checkParam(*param, *given) ? *given : defaultOf(*param, node, spec);
}

Problem errorAtNode(Error error, std::string node, std::string parameter, std::string port)
{
    Problem problem;
    problem.error = std::move(error).atNode(std::move(node), std::move(parameter));
    problem.port = std::move(port);
    return problem;
}

Problem warningAtNode(Error error, std::string node, std::string parameter, std::string port)
{
    Problem problem = errorAtNode(std::move(error), std::move(node), std::move(parameter), std::move(port));
    problem.severity = Severity::Warning;
    return problem;
}

Status canLink(const Document& document, const Catalogue& catalogue, const Endpoint& from, const Endpoint& to)
{
    const Node* source = document.find(from.node);
    const Node* target = document.find(to.node);
    if (!source || !target)
        return makeError(Code::NotFound, str("There is no node '", source ? to.node : from.node, "'."));
    MR_CHECK(checkPorts({from, to}, catalogue.find(source->type), catalogue.find(target->type)));
    if (source == target) return makeError(Code::InvalidArgument, "A node cannot feed itself.");
    if (const Link* present = document.linkInto(to.node, to.port)) {
        if (present->from == from) return makeError(Code::AlreadyExists, "This link is already there.");
        return makeError(Code::InvalidArgument, str("This input already has a link from '", present->from.node, "'."))
            .advise("Remove that first.");
    }
    if (reaches(document, to.node, from.node))
        return makeError(Code::InvalidArgument,
                         str("'", from.node, "' itself waits for '", to.node, "'; this link would close a circle."));
    return {};
}

} // namespace millrace::pipeline
