#include "engine/pipeline/layer_operations.h"

#include "engine/pipeline/layers/layers.h"

#include <algorithm>

namespace millrace::pipeline {

namespace {
const layers::Row* findRow(std::string_view type)
{
    const auto& all = layers::rows();
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const layers::Row& row) { return row.spec.type == type; });
    return found == all.end() ? nullptr : &*found;
}

// Tokens are names, not quantities: only an embedding makes numbers of them.
Status checkKind(const graph::Graph& graph, const layers::Row& row, const layers::Site& site)
{
    for (std::size_t i = 0; i < site.inputs().size(); ++i) {
        const bool tokens = graph.tensor(site.input(i)).type == DType::I32;
        if (tokens == row.takesTokens) continue;
        return tokens
                   ? site.refuse(str("Layer ", site.id(), " takes numbers but gets tokens, ", site.described(i), "."),
                                 "Put an Embedding layer between them.")
                   : site.refuse(str("Layer ", site.id(), " takes tokens but gets numbers, ", site.described(i), "."),
                                 "Link it to the input of a model that is trained on tokens.");
    }
    return {};
}
} // namespace

Result<std::optional<graph::TensorId>> addLayer(graph::Graph& graph, const LayerSite& given)
{
    const layers::Row* row = findRow(given.spec.type);
    if (!row || !row->add)
        return makeError(Code::Internal, str("The layer type ", given.spec.type, " has no operation."))
            .atNode(given.node.id);
    layers::Site site(graph, given);
    MR_CHECK(checkKind(graph, *row, site));
    return row->add(site);
}

std::string layerFact(const Node& node, const NodeSpec& spec)
{
    const layers::Row* row = findRow(spec.type);
    return row && row->fact ? row->fact(Values(node, spec)) : std::string();
}

std::vector<NodeSpec> layerTypes()
{
    std::vector<NodeSpec> specs;
    for (const layers::Row& row : layers::rows()) specs.push_back(row.spec);
    return specs;
}

} // namespace millrace::pipeline
