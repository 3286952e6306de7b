// Contract of layer normalisation over the last axis.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[r,c] = (x[r,c] - mean[r]) * rstd[r] * scale[c] + bias[c],  rstd[r] = 1 / sqrt(variance[r] + epsilon)
///           mean and (biased) variance are those of the row.
/// Forward   x, scale, [bias] -> y, mean, rstd   (null mean and rstd are not written)
/// Backward  x, scale, mean, rstd, dy, [dresidual] -> dx, dscale, dbias  (a null output is not computed):
///           dx = rstd (g - avg(g) - n avg(g n)) + dresidual,  g = dy scale,  n = (x - mean) rstd,  avg over the row;
///           dresidual, there where `residual` says so, is the gradient that comes to x past the normalisation.
/// Shapes    x, dx, y, dy, dresidual (R,C) row-major, R = all axes but the last; mean, rstd (R); all others (C).
/// Types     f32; sums over rows (dscale, dbias) in f64.   Aliasing: y may be x; dx may be dy or
///           dresidual.
/// Cost      reads RC + 2C, writes RC + 2R elements forward; reads 2RC, writes RC backward.
/// Source    Ba, Kiros, Hinton 2016, arXiv:1607.06450, section 3; as PyTorch's LayerNorm over one axis.
struct LayerNorm
{
    std::int64_t rows = 0, columns = 0; ///< R, C
    double epsilon = 1e-5;
    bool residual = false; ///< of Backward
};

} // namespace millrace::kernels
