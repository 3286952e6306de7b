// Loops over rows of channels, all channels side by side: what batch and group normalisation have in common.
#pragma once

#include <cstdint>

namespace millrace::kernels::cpu::channel_rows {

/// sums[c] = sum of (x[r,c] - x[0,c]) over the rows begin … end, squares[c] = that of its square. The first row as the
/// origin keeps the squares small, so that one pass is exact enough for the variance.
void sum(const float* x, double* sums, double* squares, std::int64_t channels, std::int64_t begin, std::int64_t end);

/// y[r,c] = x[r,c] * factor[c] + shift[c]; y may be x.
void scale(const float* x, float* y, const float* factor, const float* shift, std::int64_t channels, std::int64_t begin,
           std::int64_t end);

/// sums[c] = sum of dy[r,c] over the rows begin … end, products[c] = that of dy[r,c] * (x[r,c] - mean[c]).
void sumBackward(const float* x, const float* dy, const float* mean, double* sums, double* products,
                 std::int64_t channels, std::int64_t begin, std::int64_t end);

struct GradientOperands
{
    const float *x, *dy;                        ///< rows of channels
    const float *mean, *factor, *slope, *shift; ///< by channel
};

/// dx = dy * factor[c] + (x - mean[c]) * slope[c] + shift[c]; dx may be dy.
void inputGradient(const GradientOperands& operands, float* dx, std::int64_t channels, std::int64_t begin,
                   std::int64_t end);

} // namespace millrace::kernels::cpu::channel_rows
