// Contract of batch normalisation over all axes but the last.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[r,c] = (x[r,c] - mean[c]) * rstd[c] * weight[c] + bias[c],  rstd[c] = 1 / sqrt(variance[c] + epsilon)
///           With `addend` a tensor is added to that; with `relu` y is then the larger of that and 0.
/// Training  x, weight, bias, runningMean, runningVariance, [addend] -> y, mean, rstd, runningMean, runningVariance
///           mean and (biased) variance are those of x's R rows; the running ones become
///           (1 - momentum) * running + momentum * batch, the variance with R/(R-1) (as PyTorch; 1 where R is 1).
/// Inference x, weight, bias, runningMean, runningVariance, [addend] -> y, with the running statistics; mean and
///           rstd are not written.
/// Backward  x, weight, mean, rstd, dy, [y] -> dx, dweight, dbias, [daddend]  (of Training; a null output is not
///           computed): with `relu` dy counts only where y > 0; daddend, there where `addend` says so, is dy so masked.
/// Shapes    x, dx, y, dy, addend, daddend (R,C) row-major, R = all axes but the last (batch, height, width); all
///           others (C).
/// Types     f32, sums in f64.   Aliasing: y may be x or addend in Inference; running outputs may be their inputs; dx
///           may be dy.
/// Cost      reads 2RC, writes RC elements forward; reads 4RC, writes RC backward.
/// Source    Ioffe, Szegedy 2015, arXiv:1502.03167, algorithm 1 and section 3.
struct BatchNorm
{
    std::int64_t rows = 0, channels = 0; ///< R, C
    double epsilon = 1e-5, momentum = 0.1;
    bool training = true;
    bool addend = false, relu = false;
};

} // namespace millrace::kernels
