// The catalogue of node types. Palette, property panel, checks, command line and reference page are generated from it.
#pragma once

#include "engine/pipeline/document.h"
#include "kernels/base/result.h"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::pipeline {

enum class PortType
{
    Rows,
    Tokens,
    Model,
    Metrics,
    Version,
    Tensor
};
std::string_view name(PortType type);

struct PortSpec
{
    std::string id, title;
    PortType type = PortType::Rows;
    bool required = true; ///< inputs only
};

enum class ParamKind
{
    Integer,
    Number,
    Boolean,
    Choice,
    Text,
    Path,
    IntegerList,
    Layers
};
std::string_view name(ParamKind kind);

/// A default that follows another parameter of the node: each optimizer's learning rate, each size's layers.
struct DefaultsBy
{
    std::string param;
    std::map<std::string, Json> values; ///< by the other parameter's value; for any other, the parameter's own default
};

/// A parameter that counts only where another one of the node has one of these values.
struct AppliesWhen
{
    std::string param;
    std::vector<std::string> values;
};

struct ParamSpec
{
    std::string id, title, help;
    ParamKind kind = ParamKind::Text;
    Json defaultValue;                      ///< null: no default, the parameter must be given
    std::string unit;                       ///< "rows", "epochs", …; may be empty
    std::optional<double> minimum, maximum; ///< inclusive; for Integer, Number and the members of IntegerList
    std::vector<std::string> choices;       ///< for Choice
    bool advanced = false;                  ///< shown under "More"
    std::optional<DefaultsBy> defaultsBy;
    std::optional<AppliesWhen> appliesWhen;
    bool isName = false;   ///< for Text: letters, digits, '.', '_' and '-' alone, at most 128
    bool isFolder = false; ///< for Path: of a folder instead of a file
};

struct NodeSpec
{
    std::string type, title, category; ///< Data, Prepare, Model, Train, Result; layers have their own: Weights, …
    std::string help;                  ///< one or two sentences
    std::string formula, source;       ///< for the reference page; may be empty
    std::vector<PortSpec> inputs, outputs;
    std::vector<ParamSpec> params;
    int codeVersion = 1; ///< part of the cache key; raised when the stage's result changes
    bool cacheable = true;
    bool isLayer = false; ///< a layer.* node, for nested graphs only

    const PortSpec* input(std::string_view id) const;
    const PortSpec* output(std::string_view id) const;
    const ParamSpec* param(std::string_view id) const;
};

class Catalogue
{
public:
    /// All node and layer types of this build.
    static Catalogue create();

    const NodeSpec* find(std::string_view type) const;
    const std::vector<NodeSpec>& all() const& { return m_specs; }
    void all() const&& = delete; // its specifications would die with it
    std::vector<std::string> typeNames() const;

private:
    std::vector<NodeSpec> m_specs;
};

/// The value that counts where the node gives none; null where it must.
Json defaultOf(const ParamSpec& param, const Node& node, const NodeSpec& spec);
/// Whether the parameter counts beside the node's other ones.
bool applies(const ParamSpec& param, const Node& node, const NodeSpec& spec);
/// The parameter's value: the node's own, else its default beside the node's other parameters, else null.
Json paramValue(const Node& node, const NodeSpec& spec, std::string_view id);
/// Checks one value against its specification. Errors: InvalidArgument saying the value, what is allowed and its unit.
Status checkParam(const ParamSpec& spec, const Json& value);

/// The catalogue (or one type of it) as JSON, for `millrace nodes --json`.
Json toJson(const Catalogue& catalogue);
Json toJson(const NodeSpec& spec);

} // namespace millrace::pipeline
