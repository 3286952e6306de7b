// From one layer to operations and weights in the model graph.
#pragma once

#include "engine/graph/graph.h"
#include "engine/pipeline/catalogue.h"

#include <optional>
#include <vector>

namespace millrace::pipeline {

/// A layer whose parameters are all allowed, and what it reads.
struct LayerSite
{
    const Node& node;
    const NodeSpec& spec;
    std::vector<graph::TensorId> inputs;
    std::int64_t answers = 0;    ///< numbers that the model is to give for each row; 0: not known
    std::int64_t vocabulary = 0; ///< how many tokens there are; 0: the rows are no tokens
    std::int64_t places = 0;     ///< > 0: the model reads a text piece by piece and remembers so many of its tokens
};

/// Adds the layer's weights and operations and gives its output; nothing where that depends on what is not known.
/// Errors: InvalidArgument with shapes and layers, at the layer and its parameter.
Result<std::optional<graph::TensorId>> addLayer(graph::Graph& graph, const LayerSite& site);

/// What a layer is by its parameters alone: "3×3, 16 channels"; may be empty.
std::string layerFact(const Node& node, const NodeSpec& spec);

} // namespace millrace::pipeline
