// The three products of a convolution as graphs of cuDNN.
#pragma once

#include "kernels/cuda/cudnn_graph.h"

#include <string>

namespace millrace::kernels::cuda {

/// InvalidArgument for what conv2d's contract excludes.

/// What a convolution's graph depends on.
std::string convolutionKey(NetworkGraph::Convolution kind, const Conv2d& conv, DType type, bool bias);

/// Adds tensors x, weight and y in that order, all of that type in the layout of conv2d's contract (channels last), and
/// the convolution of that kind, whose result one of them is (y, dx for x, or dweight for weight). Forward with `bias`:
/// x, weight, the sum that is not written, bias, y.
Status buildConvolution(NetworkGraph& graph, NetworkGraph::Convolution kind, const Conv2d& conv, DType type, bool bias);

} // namespace millrace::kernels::cuda
