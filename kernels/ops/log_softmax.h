// Contract of the logarithm of the softmax over the last axis.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[r,c] = x[r,c] - max_r - log sum_c exp(x[r,c] - max_r)
/// Forward   x -> y
/// Backward  y, dy -> dx:  dx[r,c] = dy[r,c] - exp(y[r,c]) sum_k dy[r,k]
/// Shapes    all (R,C) row-major.   Types f32.   Aliasing: y may be x; dx may be dy.
/// Cost      reads RC, writes RC elements forward; reads 2RC, writes RC backward.
/// Source    Goodfellow, Bengio, Courville 2016, Deep Learning, section 4.1.
struct LogSoftmax
{
    std::int64_t rows = 0, columns = 0; ///< R, C
};

} // namespace millrace::kernels
