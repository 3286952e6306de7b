// Contract of the transposed two-dimensional convolution.
#pragma once

#include "kernels/ops/conv2d.h"

namespace millrace::kernels {

/// The transpose of a convolution as a linear map: what conv2d computes from an image y, this computes back from x.
///           y[b,h,w,g*O/G+o] = bias[g*O/G+o] + sum of x[b,p,q,c] * weight[c,r,s,o] over r, s, the channels c of group
///           g and the p, q with h = p*strideHeight - padHeight + r*dilationHeight, w likewise from q and s
/// Forward   x, weight, bias -> y
/// Backward  x, weight, dy -> dx, dweight, dbias. A null output is not computed.
/// Shapes    x, dx (B,P,Q,C); weight, dweight (C,R,S,O/G); bias, dbias (O); y, dy (B,H,W,O); all row-major. bias may be
///           null. H = (P-1) strideHeight - 2 padHeight + dilationHeight (R-1) + outputPadHeight + 1, W likewise.
/// Types     f32.   Aliasing: none.
/// Cost      2 B P Q C R S O/G operations forward, twice that backward.
/// Errors    InvalidArgument where C or O is no multiple of G, H or W is below 1, or the output padding is not below
/// the
///           stride (PyTorch allows one below the dilation as well).
/// Source    Dumoulin, Visin 2016, arXiv:1603.07285, section 4; output size as PyTorch's ConvTranspose2d.
struct ConvTranspose2d
{
    std::int64_t batch = 0, height = 0, width = 0, channels = 0;                    ///< B, P, Q, C
    std::int64_t outputChannels = 0, kernelHeight = 1, kernelWidth = 1, groups = 1; ///< O, R, S, G
    std::int64_t strideHeight = 1, strideWidth = 1;
    std::int64_t padHeight = 0, padWidth = 0;             ///< taken off each side of y
    std::int64_t outputPadHeight = 0, outputPadWidth = 0; ///< added at the end of y
    std::int64_t dilationHeight = 1, dilationWidth = 1;

    constexpr std::int64_t outputHeight() const
    {
        return (height - 1) * strideHeight - 2 * padHeight + dilationHeight * (kernelHeight - 1) + outputPadHeight + 1;
    }
    constexpr std::int64_t outputWidth() const
    {
        return (width - 1) * strideWidth - 2 * padWidth + dilationWidth * (kernelWidth - 1) + outputPadWidth + 1;
    }
    /// The convolution of which this is the transpose: its image is y, its result x.
    constexpr Conv2d convolution() const
    {
        return {batch,  outputHeight(), outputWidth(), outputChannels, channels, kernelHeight,   kernelWidth,
                groups, strideHeight,   strideWidth,   padHeight,      padWidth, dilationHeight, dilationWidth};
    }
};

} // namespace millrace::kernels
