// Contract of the mean squared error: loss and gradient in one pass.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// loss = mean_i (x[i] - target[i])^2,  dx[i] = 2 (x[i] - target[i]) / N
/// Forward   x, target -> loss, dx.  A null output is not computed.
/// Shapes    x, target, dx (N), every element of the batch; loss (1).   Types f32.   Aliasing: dx may be x.
/// Cost      reads 2N, writes N elements.
struct MeanSquaredError
{
    std::int64_t elements = 0; ///< N
};

} // namespace millrace::kernels
