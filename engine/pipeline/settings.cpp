// `--set node.param=value`: a parameter of a document, changed by a line of text.
#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/document.h"
#include "engine/pipeline/json_reader.h"
#include "kernels/base/text.h"

namespace millrace::pipeline {

namespace {
struct Setting
{
    std::vector<std::string> nodes; ///< the node, then layers inside it: net/conv1
    std::string param, value;
};

Result<Setting> parseSetting(std::string_view text)
{
    const auto equals = text.find('=');
    const auto dot = text.substr(0, equals).rfind('.');
    if (equals == std::string_view::npos || dot == std::string_view::npos || dot == 0 || dot + 1 == equals)
        return makeError(Code::InvalidArgument,
                         str("The setting '", printable(text), "' is not of the form node.param=value."))
            .advise("For example fit.epochs=1, or net/conv1.channels=8 for a layer.");
    Setting setting;
    for (const std::string_view node : split(text.substr(0, dot), '/')) setting.nodes.emplace_back(node);
    setting.param = text.substr(dot + 1, equals - dot - 1);
    setting.value = text.substr(equals + 1);
    return setting;
}

// Texts are taken as they are typed (name=123 is the text "123"); for all else the value is JSON where it can be.
Json valueOf(const std::string& text, const ParamSpec* spec)
{
    const bool isText =
        spec && (spec->kind == ParamKind::Text || spec->kind == ParamKind::Path || spec->kind == ParamKind::Choice);
    auto json = readJson(text, {});
    if (json && (!isText || json->is_string())) return std::move(json).value();
    return text;
}

Status apply(Document& document, const Catalogue& catalogue, const Setting& setting, std::size_t depth)
{
    const std::string& id = setting.nodes[depth];
    Node* node = document.find(id);
    if (!node) {
        std::vector<std::string> ids;
        for (const Node& known : document.nodes) ids.push_back(known.id);
        return makeError(Code::NotFound, str("There is no ", depth == 0 ? "node" : "layer", " '", printable(id), "'."))
            .advise(didYouMean(id, ids));
    }
    const NodeSpec* spec = catalogue.find(node->type);
    if (depth + 1 < setting.nodes.size()) {
        if (!spec || !spec->param("layers"))
            return makeError(Code::InvalidArgument, str("The node '", id, "' has no layers.")).atNode(id);
        MR_TRY(Document layers, layersFromJson(paramValue(*node, *spec, "layers")));
        MR_CHECK(apply(layers, catalogue, setting, depth + 1));
        node->params["layers"] = layersToJson(layers);
        return {};
    }

    const ParamSpec* param = spec ? spec->param(setting.param) : nullptr;
    if (spec && !param) {
        std::vector<std::string> ids;
        for (const ParamSpec& known : spec->params) ids.push_back(known.id);
        return makeError(Code::NotFound, str(spec->title, " has no parameter '", printable(setting.param), "'."))
            .atNode(id, setting.param)
            .advise(didYouMean(setting.param, ids));
    }
    Json value = valueOf(setting.value, param);
    if (param) {
        if (auto status = checkParam(*param, value); !status)
            return std::move(status).error().atNode(joined(setting.nodes, "/"), setting.param);
    }
    node->params[setting.param] = std::move(value);
    return {};
}
} // namespace

Status applySetting(Document& document, std::string_view setting)
{
    if (document.readOnly)
        return makeError(Code::NewerFormat, str("The pipeline's format '", document.format,
                                                "' is newer than this Millrace, so it can be shown but not changed."));
    MR_TRY(const Setting parsed, parseSetting(setting));
    return apply(document, Catalogue::create(), parsed, 0);
}

} // namespace millrace::pipeline
