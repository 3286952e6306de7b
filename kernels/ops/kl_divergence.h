// Contract of the Kullback-Leibler divergence from a teacher's answers, for distillation: loss and gradient in one
// pass.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// With p = softmax(teacher[r] / T) and q = softmax(x[r] / T):
///           loss = T^2 mean_r sum_c p[c] (log p[c] - log q[c]),  dx[r,c] = T (q[c] - p[c]) / R
/// Forward   x, teacher -> loss, dx.  A null output is not computed.
/// Shapes    x, teacher, dx (R,C) row-major, both logits; loss (1).   Types f32, loss summed in f64.
/// Aliasing  dx may be x.   Cost: reads 2RC, writes RC elements.   Errors: InvalidArgument unless T > 0.
/// Source    Hinton, Vinyals, Dean 2015, arXiv:1503.02531, section 2: T^2 keeps the gradient's size. The mean is over
///           rows, PyTorch's KLDivLoss "batchmean" on (R,C); its "mean" divides by C as well, which is no divergence.
struct KlDivergence
{
    std::int64_t rows = 0, classes = 0; ///< R, C
    double temperature = 1;             ///< T
};

} // namespace millrace::kernels
