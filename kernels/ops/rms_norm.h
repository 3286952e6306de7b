// Contract of root-mean-square normalisation over the last axis.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[r,c] = x[r,c] * rstd[r] * scale[c],  rstd[r] = 1 / sqrt(avg_c x[r,c]^2 + epsilon)
/// Forward   x, scale -> y, rstd   (a null rstd is not written)
/// Backward  x, scale, rstd, dy -> dx, dscale  (a null output is not computed):
///           dx = rstd (g - n avg(g n)),  g = dy scale,  n = x rstd,  avg over the row
/// Shapes    x, dx, y, dy (R,C) row-major, R = all axes but the last; rstd (R); all others (C).
/// Types     f32; sums over rows (dscale) in f64.   Aliasing: y may be x; dx may be dy.
/// Cost      reads RC + C, writes RC + R elements forward; reads 2RC, writes RC backward.
/// Source    Zhang, Sennrich 2019, arXiv:1910.07467, equation 4. The paper has no epsilon; PyTorch's default, the f32
///           machine epsilon, is ours too.
struct RmsNorm
{
    std::int64_t rows = 0, columns = 0; ///< R, C
    double epsilon = 1.1920928955078125e-07;
};

} // namespace millrace::kernels
