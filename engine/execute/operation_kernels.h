// Which kernel executes an operation, and which tensor is which of its operands.
#pragma once

#include "engine/compile/program.h"
#include "kernels/ops/factory.h"

#include <optional>
#include <vector>

namespace millrace::execute {

struct PreparedOperation
{
    std::unique_ptr<kernels::Kernel> kernel;
    std::vector<std::optional<graph::TensorId>> inputs, outputs; ///< in the kernel's order; nothing: a null operand
};

/// Errors: Unsupported naming operation and layer; OutOfMemory.
Result<PreparedOperation> prepare(const graph::Graph& graph, const graph::Operation& operation, compile::Mode mode,
                                  const kernels::Factory& factory);

} // namespace millrace::execute
