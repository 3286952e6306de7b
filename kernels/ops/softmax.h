// Contract of the softmax over the last axis.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[r,c] = exp(x[r,c] - max_r) / sum_c exp(x[r,c] - max_r)
/// Forward   x -> y
/// Backward  y, dy -> dx:  dx[r,c] = y[r,c] (dy[r,c] - sum_k dy[r,k] y[r,k])
/// Shapes    all (R,C) row-major.   Types f32.   Aliasing: y may be x; dx may be dy.
/// Cost      reads RC, writes RC elements.
/// Source    Goodfellow, Bengio, Courville 2016, Deep Learning, section 4.1.
struct Softmax
{
    std::int64_t rows = 0, columns = 0; ///< R, C
};

} // namespace millrace::kernels
