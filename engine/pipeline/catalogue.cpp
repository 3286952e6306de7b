#include "engine/pipeline/catalogue.h"

#include "engine/pipeline/node_types.h"

#include <algorithm>

namespace millrace::pipeline {

namespace {
template <class Spec> const Spec* findById(const std::vector<Spec>& specs, std::string_view id)
{
    const auto found = std::find_if(specs.begin(), specs.end(), [&](const Spec& spec) { return spec.id == id; });
    return found == specs.end() ? nullptr : &*found;
}

ParamSpec param(ParamKind kind, std::string id, std::string title, std::string help, Json defaultValue)
{
    ParamSpec spec;
    spec.id = std::move(id);
    spec.title = std::move(title);
    spec.help = std::move(help);
    spec.kind = kind;
    spec.defaultValue = std::move(defaultValue);
    return spec;
}

ParamSpec ranged(ParamSpec spec, double minimum, double maximum, std::string unit)
{
    spec.minimum = minimum;
    spec.maximum = maximum;
    spec.unit = std::move(unit);
    return spec;
}
} // namespace

std::string_view name(PortType type)
{
    switch (type) {
    case PortType::Rows:
        return "rows";
    case PortType::Tokens:
        return "tokens";
    case PortType::Model:
        return "model";
    case PortType::Metrics:
        return "metrics";
    case PortType::Version:
        return "version";
    case PortType::Tensor:
        return "tensor";
    }
    return "?";
}

std::string_view name(ParamKind kind)
{
    switch (kind) {
    case ParamKind::Integer:
        return "integer";
    case ParamKind::Number:
        return "number";
    case ParamKind::Boolean:
        return "boolean";
    case ParamKind::Choice:
        return "choice";
    case ParamKind::Text:
        return "text";
    case ParamKind::Path:
        return "path";
    case ParamKind::IntegerList:
        return "integer list";
    case ParamKind::Layers:
        return "layers";
    }
    return "?";
}

ParamSpec integerParam(std::string id, std::string title, std::string help, Json defaultValue, double minimum,
                       double maximum, std::string unit)
{
    return ranged(param(ParamKind::Integer, std::move(id), std::move(title), std::move(help), std::move(defaultValue)),
                  minimum, maximum, std::move(unit));
}

ParamSpec numberParam(std::string id, std::string title, std::string help, Json defaultValue, double minimum,
                      double maximum, std::string unit)
{
    return ranged(param(ParamKind::Number, std::move(id), std::move(title), std::move(help), std::move(defaultValue)),
                  minimum, maximum, std::move(unit));
}

ParamSpec booleanParam(std::string id, std::string title, std::string help, bool defaultValue)
{
    return param(ParamKind::Boolean, std::move(id), std::move(title), std::move(help), defaultValue);
}

ParamSpec choiceParam(std::string id, std::string title, std::string help, std::vector<std::string> choices,
                      std::string defaultValue)
{
    ParamSpec spec =
        param(ParamKind::Choice, std::move(id), std::move(title), std::move(help), std::move(defaultValue));
    spec.choices = std::move(choices);
    return spec;
}

ParamSpec textParam(std::string id, std::string title, std::string help, Json defaultValue)
{
    return param(ParamKind::Text, std::move(id), std::move(title), std::move(help), std::move(defaultValue));
}

ParamSpec pathParam(std::string id, std::string title, std::string help)
{
    return param(ParamKind::Path, std::move(id), std::move(title), std::move(help), nullptr);
}

ParamSpec integerListParam(std::string id, std::string title, std::string help, Json defaultValue, double minimum,
                           double maximum, std::string unit)
{
    return ranged(
        param(ParamKind::IntegerList, std::move(id), std::move(title), std::move(help), std::move(defaultValue)),
        minimum, maximum, std::move(unit));
}

ParamSpec seedParam(std::string help)
{
    constexpr double kMaximumSeed = 9007199254740991.0; // 2^53 - 1: what JSON readers everywhere keep exactly
    return integerParam("seed", "Seed", std::move(help), 7, 0, kMaximumSeed);
}

ParamSpec advanced(ParamSpec spec)
{
    spec.advanced = true;
    return spec;
}

NodeSpec nodeType(std::string type, std::string title, std::string category, std::string help)
{
    NodeSpec spec;
    spec.type = std::move(type);
    spec.title = std::move(title);
    spec.category = std::move(category);
    spec.help = std::move(help);
    return spec;
}

PortSpec rowsPort(std::string id, std::string title, bool required)
{
    return {std::move(id), std::move(title), PortType::Rows, required};
}

PortSpec tokensPort(std::string id, std::string title, bool required)
{
    return {std::move(id), std::move(title), PortType::Tokens, required};
}

PortSpec modelPort()
{
    return {"model", "Model", PortType::Model, true};
}

PortSpec metricsPort()
{
    return {"metrics", "Metrics", PortType::Metrics, true};
}

const PortSpec* NodeSpec::input(std::string_view id) const
{
    return findById(inputs, id);
}

const PortSpec* NodeSpec::output(std::string_view id) const
{
    return findById(outputs, id);
}

const ParamSpec* NodeSpec::param(std::string_view id) const
{
    return findById(params, id);
}

Catalogue Catalogue::create()
{
    Catalogue catalogue;
    catalogue.m_specs = nodeTypes();
    for (NodeSpec& spec : layerTypes()) catalogue.m_specs.push_back(std::move(spec));
    return catalogue;
}

const NodeSpec* Catalogue::find(std::string_view type) const
{
    const auto found =
        std::find_if(m_specs.begin(), m_specs.end(), [&](const NodeSpec& spec) { return spec.type == type; });
    return found == m_specs.end() ? nullptr : &*found;
}

std::vector<std::string> Catalogue::typeNames() const
{
    std::vector<std::string> names;
    for (const NodeSpec& spec : m_specs) names.push_back(spec.type);
    return names;
}

Json paramValue(const Node& node, const NodeSpec& spec, std::string_view id)
{
    if (const auto found = node.params.find(std::string(id)); found != node.params.end()) return *found;
    const ParamSpec* known = spec.param(id);
    return known ? defaultOf(*known, node, spec) : Json();
}

Json defaultOf(const ParamSpec& param, const Node& node, const NodeSpec& spec)
{
    if (!param.defaultsBy) return param.defaultValue;
    const Json other = paramValue(node, spec, param.defaultsBy->param);
    const auto found =
        other.is_string() ? param.defaultsBy->values.find(other.get<std::string>()) : param.defaultsBy->values.end();
    return found == param.defaultsBy->values.end() ? param.defaultValue : found->second;
}

bool applies(const ParamSpec& param, const Node& node, const NodeSpec& spec)
{
    if (!param.appliesWhen) return true;
    const auto& values = param.appliesWhen->values;
    const Json other = paramValue(node, spec, param.appliesWhen->param);
    return other.is_string() && std::find(values.begin(), values.end(), other.get<std::string>()) != values.end();
}

namespace {
Json portsJson(const std::vector<PortSpec>& ports, bool inputs)
{
    Json list = Json::array();
    for (const PortSpec& port : ports) {
        Json json{{"id", port.id}, {"title", port.title}, {"type", name(port.type)}};
        if (inputs) json["required"] = port.required;
        list.push_back(std::move(json));
    }
    return list;
}

// Whole numbers without a fraction where the parameter takes only such.
Json bound(const ParamSpec& spec, double value)
{
    if (spec.kind == ParamKind::Number) return value;
    return static_cast<std::int64_t>(value);
}

Json paramJson(const ParamSpec& spec)
{
    Json json{{"id", spec.id}, {"title", spec.title}, {"kind", name(spec.kind)}};
    json["required"] = spec.defaultValue.is_null();
    json["default"] = spec.defaultValue;
    if (!spec.unit.empty()) json["unit"] = spec.unit;
    if (spec.minimum) json["minimum"] = bound(spec, *spec.minimum);
    if (spec.maximum) json["maximum"] = bound(spec, *spec.maximum);
    if (!spec.choices.empty()) json["choices"] = spec.choices;
    if (spec.isFolder) json["folder"] = true;
    if (spec.advanced) json["advanced"] = true;
    if (spec.defaultsBy) json["defaults_by"] = {{"param", spec.defaultsBy->param}, {"values", spec.defaultsBy->values}};
    if (spec.appliesWhen)
        json["applies_when"] = {{"param", spec.appliesWhen->param}, {"values", spec.appliesWhen->values}};
    json["help"] = spec.help;
    return json;
}
} // namespace

Json toJson(const NodeSpec& spec)
{
    Json json{{"type", spec.type}, {"title", spec.title}, {"category", spec.category}, {"help", spec.help}};
    if (!spec.formula.empty()) json["formula"] = spec.formula;
    if (!spec.source.empty()) json["source"] = spec.source;
    json["inputs"] = portsJson(spec.inputs, true);
    json["outputs"] = portsJson(spec.outputs, false);
    json["params"] = Json::array();
    for (const ParamSpec& known : spec.params) json["params"].push_back(paramJson(known));
    return json;
}

Json toJson(const Catalogue& catalogue)
{
    Json list = Json::array();
    for (const NodeSpec& spec : catalogue.all()) list.push_back(toJson(spec));
    return list;
}

} // namespace millrace::pipeline
