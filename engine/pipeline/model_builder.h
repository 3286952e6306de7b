// From a model node to the graph that is trained: model.mlp and its like become layers, layers become operations.
#pragma once

#include "engine/graph/graph.h"
#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/document.h"
#include "engine/pipeline/schema.h"

namespace millrace::pipeline {

/// The model node's layers as a nested document, for models that are one node (model.mlp): what "open" shows, and what
/// is built. A `model.layers` node gives its own. Errors: InvalidArgument, NotFound.
Result<Document> expandModel(const Node& node, const Catalogue& catalogue, const RowsSchema& schema);

/// The forward graph for a batch of rows: input "features" (B, …), output "output" (B, classes) logits or (B, 1).
/// Errors: InvalidArgument with both shapes and both layers named.
Result<graph::Graph> buildModel(const Document& layers, const Catalogue& catalogue, const RowsSchema& schema,
                                std::int64_t batch);

/// The graph of a language model that reads `batch` texts piece by piece: "features" (batch, steps) and "output" (batch,
/// steps, vocabulary) are of the piece, and the layers remember what came before it in their states (attention in caches for
/// `places` tokens). The port "offset" (1) i32 says how many tokens came before; a model without it has no place for
/// them to run out of. Parameters are buildModel's. Errors: those of buildModel; Unsupported for a layer that needs the
/// whole text.
Result<graph::Graph> buildDecoder(const Document& layers, const Catalogue& catalogue, const RowsSchema& schema,
                                  std::int64_t steps, std::int64_t places, std::int64_t batch = 1);

} // namespace millrace::pipeline
