// Contract of the mean absolute error: loss and gradient in one pass.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// loss = mean_i |x[i] - target[i]|,  dx[i] = sign(x[i] - target[i]) / N, 0 where they are equal
/// Forward   x, target -> loss, dx.  A null output is not computed.
/// Shapes    x, target, dx (N), every element of the batch; loss (1).   Types f32, loss summed in f64.
/// Aliasing  dx may be x.   Cost: reads 2N, writes N elements.   Source: as PyTorch's L1Loss.
struct MeanAbsoluteError
{
    std::int64_t elements = 0; ///< N
};

} // namespace millrace::kernels
