// Contract of the two-dimensional convolution (cross-correlation, as every framework has it).
#pragma once

#include "kernels/ops/precision.h"

#include <cstdint>

namespace millrace::kernels {

/// y[b,p,q,o] = bias[o] + sum_{r,s,c} x[b,h,w,g*C/G+c] * weight[o,r,s,c]
///           h = p*strideHeight - padHeight + r*dilationHeight, w likewise from q and s; x is zero outside its borders;
///           g = o / (O/G), the group of output channel o.
/// Forward   x, weight, bias -> y
/// Backward  x, weight, dy -> dx, dweight, dbias. A null output is not computed.
/// Shapes    x, dx (B,H,W,C); weight, dweight (O,R,S,C/G); bias, dbias (O); y, dy (B,P,Q,O); all row-major.
///           P = (H + 2 padHeight - dilationHeight (R-1) - 1) / strideHeight + 1, Q likewise. bias may be null.
/// Types     f32; products in `precision`, sums of dbias in f32 (with Bf16, of the rounded dy).   Aliasing: none.
/// Cost      2 B P Q O R S C/G operations forward, twice that backward.
/// Errors    InvalidArgument where C or O is no multiple of G, or the window does not fit the padded image.
/// Source    Dumoulin, Visin 2016, arXiv:1603.07285, sections 2 and 5.
struct Conv2d
{
    std::int64_t batch = 0, height = 0, width = 0, channels = 0;                    ///< B, H, W, C
    std::int64_t outputChannels = 0, kernelHeight = 1, kernelWidth = 1, groups = 1; ///< O, R, S, G
    std::int64_t strideHeight = 1, strideWidth = 1;
    std::int64_t padHeight = 0, padWidth = 0; ///< on each side
    std::int64_t dilationHeight = 1, dilationWidth = 1;
    Precision precision = Precision::F32;

    constexpr std::int64_t outputHeight() const
    {
        return (height + 2 * padHeight - dilationHeight * (kernelHeight - 1) - 1) / strideHeight + 1;
    }
    constexpr std::int64_t outputWidth() const
    {
        return (width + 2 * padWidth - dilationWidth * (kernelWidth - 1) - 1) / strideWidth + 1;
    }
    bool operator==(const Conv2d&) const = default;
};

} // namespace millrace::kernels
