// Contract of the binary cross-entropy on logits: loss, hits and gradient in one pass.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// loss = mean_i (max(x,0) - x target + log(1 + exp(-|x|))),  dx[i] = (1 / (1 + exp(-x[i])) - target[i]) / N
/// correct = the number of elements with x > 0 where target > 0.5 and x <= 0 elsewhere
/// Forward   x, target -> loss, correct, dx.  A null output is not computed.
/// Shapes    x, target, dx (N), every element of the batch; loss, correct (1).   Types f32, loss summed in f64.
/// Aliasing  dx may be x.   Cost: reads 2N, writes N elements.
/// Source    as PyTorch's BCEWithLogitsLoss; targets are probabilities, 0 or 1 mostly.
struct BinaryCrossEntropy
{
    std::int64_t elements = 0; ///< N
};

} // namespace millrace::kernels
