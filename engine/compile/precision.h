// In which precision the products of a model are computed.
#pragma once

#include "engine/graph/graph.h"

#include <string>

namespace millrace::compile {

/// Sets the attribute `precision` ("bf16", "tf32") of every operation whose kind has it; their gradient rules hand it on to
/// the operations that they add, so it comes before withGradients. Errors: Unsupported where no operation has it.
Result<graph::Graph> withPrecision(graph::Graph forward, const std::string& precision);

} // namespace millrace::compile
