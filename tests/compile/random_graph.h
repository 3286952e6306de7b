// Graphs for tests: layers with their parameters, and whole graphs drawn at random.
#pragma once

#include "engine/graph/graph.h"

#include <cstdint>
#include <string>

namespace millrace::compile {

graph::TensorId tensor(graph::Graph& graph, const std::string& name, Shape shape, graph::Role role);
/// Of x (B,I), with a bias.
graph::TensorId dense(graph::Graph& graph, const std::string& layer, graph::TensorId x, std::int64_t outputs);

/// Layers drawn at random, with branches that are added again, views and in-place operations.
graph::Graph randomGraph(std::uint64_t seed, std::int64_t batch);

} // namespace millrace::compile
