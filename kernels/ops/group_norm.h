// Contract of group normalisation: each sample's channels in groups, each group by its own statistics.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[b,p,c] = (x[b,p,c] - mean[b,g]) * rstd[b,g] * scale[c] + bias[c],  g = c G / C
///           mean and (biased) variance are those of the sample's P positions and the group's C/G channels;
///           rstd = 1 / sqrt(variance + epsilon).
/// Forward   x, scale, bias -> y, mean, rstd   (null mean and rstd are not written)
/// Backward  x, scale, mean, rstd, dy -> dx, dscale, dbias  (a null output is not computed)
/// Shapes    x, dx, y, dy (B,P,C) row-major, P = all axes between the first and the last (1 where there are none);
///           mean, rstd (B,G); all others (C).
/// Types     f32, sums in f64.   Aliasing: y may be x; dx may be dy.
/// Cost      reads 2BPC, writes BPC elements forward; reads 4BPC, writes BPC backward.
/// Errors    InvalidArgument unless G divides C.
/// Source    Wu, He 2018, arXiv:1803.08494, section 3; as PyTorch's GroupNorm, whose channels come second.
struct GroupNorm
{
    std::int64_t batch = 0, positions = 0, channels = 0; ///< B, P, C
    std::int64_t groups = 1;                             ///< G
    double epsilon = 1e-5;
};

} // namespace millrace::kernels
