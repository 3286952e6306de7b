// Contract of a residual sum and the layer normalisation of it, in one pass.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// s[r,c] = a[r,c] + b[r,c];  y, mean and rstd are those of layer normalisation (layer_norm.h) over s as it was
/// written,
///           that is, rounded to its type, so that the gradient, which reads s, sees the same numbers.
/// Forward   a, b, scale, [bias] -> s, y, mean, rstd   (null mean and rstd are not written)
/// Backward  layer normalisation's, with the residual's gradient added (LayerNorm::residual).
/// Shapes    a, b, s, y (R,C) row-major, R = all axes but the last; mean, rstd (R); scale, bias (C).
/// Types     a, b, s, y of the factory's type; all others f32.   Aliasing: s may be a or b.
/// Cost      reads 2RC + 2C, writes 2RC + 2R elements.
/// Source    He, Zhang, Ren, Sun 2016, arXiv:1603.05027, equation 1; Ba, Kiros, Hinton 2016, arXiv:1607.06450.
struct AddLayerNorm
{
    std::int64_t rows = 0, columns = 0; ///< R, C
    double epsilon = 1e-5;
};

} // namespace millrace::kernels
