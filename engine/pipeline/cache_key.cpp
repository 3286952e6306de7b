#include "engine/pipeline/cache_key.h"

#include "kernels/base/hash.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <vector>

namespace millrace::pipeline {

namespace {
// 15 and 15.0 are the same parameter.
Json canonicalNumbers(const Json& value)
{
    if (value.is_number_integer()) return value.get<double>();
    if (!value.is_structured()) return value;
    Json result = value;
    for (auto& member : result) member = canonicalNumbers(member);
    return result;
}

Json canonicalParams(const Node& node, const NodeSpec* spec, const Catalogue& catalogue);

// Layers by what they compute: where they lie on the canvas and in which order links were drawn does not count.
Json canonicalLayers(const Json& value, const Catalogue& catalogue)
{
    const auto layers = layersFromJson(value);
    if (!layers) return value;
    Json nodes = Json::array();
    for (const Node& layer : layers->nodes)
        nodes.push_back(
            Json::array({layer.id, layer.type, canonicalParams(layer, catalogue.find(layer.type), catalogue)}));
    std::vector<std::string> links;
    for (const Link& link : layers->links)
        links.push_back(str(link.from.node, ".", link.from.port, ">", link.to.node, ".", link.to.port));
    std::sort(links.begin(), links.end());
    return Json::array({nodes, links});
}

// Known parameters with their defaults in the catalogue's order, then unknown ones by name.
Json canonicalParams(const Node& node, const NodeSpec* spec, const Catalogue& catalogue)
{
    Json params = Json::object();
    if (spec) {
        for (const ParamSpec& param : spec->params) {
            const Json value = paramValue(node, *spec, param.id);
            params[param.id] =
                param.kind == ParamKind::Layers ? canonicalLayers(value, catalogue) : canonicalNumbers(value);
        }
    }
    std::map<std::string, Json> unknown;
    for (const auto& [id, value] : node.params.items())
        if (!params.contains(id)) unknown[id] = canonicalNumbers(value);
    for (auto& [id, value] : unknown) params[id] = std::move(value);
    return params;
}

// A piece cannot be mistaken for part of its neighbour, because its length stands before it.
void add(Sha256& hash, std::string_view piece)
{
    hash.add(str(piece.size(), ":"));
    hash.add(piece);
}
} // namespace

std::string cacheKey(const Node& node, const NodeSpec& spec, const std::map<std::string, std::string>& inputKeys,
                     std::string_view content)
{
    Sha256 hash;
    add(hash, node.type);
    add(hash, str(spec.codeVersion));
    add(hash, canonicalParams(node, &spec, Catalogue::create()).dump(-1, ' ', false, Json::error_handler_t::replace));
    add(hash, str(inputKeys.size()));
    for (const auto& [port, key] : inputKeys) {
        add(hash, port);
        add(hash, key);
    }
    add(hash, content);
    return hash.hex();
}

} // namespace millrace::pipeline
