// The three products of a convolution, planned.
#pragma once

#include "kernels/cuda/convolution_graph.h"
#include "kernels/cuda/network.h"

namespace millrace::kernels::cuda {

/// The graph of buildConvolution. Errors: Unsupported where cuDNN has no engine for it.
Result<Network> makeConvolution(Context& context, NetworkGraph::Convolution kind, const Conv2d& conv, DType type,
                                bool bias = false);

} // namespace millrace::kernels::cuda
