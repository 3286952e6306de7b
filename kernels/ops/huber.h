// Contract of Huber's loss: squared near the target, absolute far from it; loss and gradient in one pass.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// With d = x[i] - target[i]:  loss = mean_i (d^2 / 2 where |d| <= delta, else delta (|d| - delta/2)),
///           dx[i] = min(max(d, -delta), delta) / N
/// Forward   x, target -> loss, dx.  A null output is not computed.
/// Shapes    x, target, dx (N), every element of the batch; loss (1).   Types f32, loss summed in f64.
/// Aliasing  dx may be x.   Cost: reads 2N, writes N elements.   Errors: InvalidArgument unless delta > 0.
/// Source    Huber 1964, Annals of Mathematical Statistics 35; as PyTorch's HuberLoss. PyTorch's SmoothL1Loss is this
///           divided by delta.
struct Huber
{
    std::int64_t elements = 0; ///< N
    double delta = 1;
};

} // namespace millrace::kernels
