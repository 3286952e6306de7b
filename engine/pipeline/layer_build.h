// The walk over a graph of layers that both the check and the building of a model are.
#pragma once

#include "engine/graph/graph.h"
#include "engine/pipeline/schema.h"
#include "engine/pipeline/structure.h"

#include <optional>
#include <vector>

namespace millrace::pipeline {

struct LayerBuild
{
    Structure structure;
    graph::Graph graph;
    std::vector<std::optional<graph::TensorId>> outputs; ///< by layer; nothing where it could not be built
    std::vector<bool> used;                              ///< by layer: it leads to the output
    std::vector<std::int64_t> parameters;                ///< by layer

    std::int64_t usedLayers(const Document& layers) const; ///< without input and output
    std::int64_t usedParameters() const;
    double usedFlops(const Document& layers) const;
};

struct LayerBuildOptions
{
    const RowsSchema* schema = nullptr; ///< null: shapes are not known, only the structure is looked at
    std::int64_t batch = 1;
    bool unusedToo = false;        ///< builds what leads to no output as well, for its shapes
    bool classesAreSample = false; ///< the file was not read to its end: it may hold more classes than the schema says
    std::string prefix;            ///< before layer ids in problems
    std::int64_t places = 0;       ///< > 0: of a model that reads a text piece by piece (see buildDecoder)
};

/// Builds as much as can be built and reports all problems found on the way.
LayerBuild buildLayers(const Document& layers, const Catalogue& catalogue, const LayerBuildOptions& options,
                       std::vector<Problem>& problems);

/// "8×8×16": a tensor's shape without its batch.
std::string rowShape(const Shape& shape);

} // namespace millrace::pipeline
