// Where a model runs: on this processor's threads, or on a GPU.
#pragma once

#include "engine/compile/program.h"
#include "kernels/ops/device.h"

#include <memory>

namespace millrace::execute {

struct Place
{
    int threads = 0;                                   ///< that kernels of the CPU may use; 0: all
    std::shared_ptr<kernels::Device> device = nullptr; ///< shared by all that runs on it; null: the CPU
    DType storage = DType::F32; ///< of activations on the GPU: F32, BF16 or F16; parameters stay f32 beside a mirror
};

/// The program of a complete graph there: on a GPU its operations are fused and its activations stored in that type.
/// Errors: those of compile::plan and compile::withStorage.
Result<compile::Program> planFor(graph::Graph graph, compile::Mode mode, const Place& place);

} // namespace millrace::execute
