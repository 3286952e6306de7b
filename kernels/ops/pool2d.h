// Contract of max and average pooling over windows of an image.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// The windows of a pooling: output (p,q) sees the inputs h from p*strideHeight - padHeight and w from
///           q*strideWidth - padWidth, R rows of S.
/// Shapes    x, dx (B,H,W,C); y, dy (B,P,Q,C); row-major.  P = (H + 2 padHeight - R) / strideHeight + 1, Q likewise.
/// Types     f32.   Aliasing: none.
/// Cost      B P Q C R S operations; reads BHWC, writes BPQC elements.
/// Errors    InvalidArgument where a pad is over half the window (a window could lie wholly outside the image),
///           or the window does not fit the padded image.
///
/// Max pooling       y = the window's maximum; padding never wins; NaN wins over everything.
///   Forward   x -> y            Backward  x, dy -> dx: dy goes to the first maximum in row-major order.
/// Average pooling   y = the window's sum / its element count, padding counted as zeros where countPadding.
///   Forward   x -> y            Backward  dy -> dx
/// Source    Goodfellow, Bengio, Courville 2016, Deep Learning, section 9.3; conventions (first maximum, padding
///           counted) as PyTorch's MaxPool2d and AvgPool2d.
struct Pool2d
{
    std::int64_t batch = 0, height = 0, width = 0, channels = 0; ///< B, H, W, C
    std::int64_t kernelHeight = 2, kernelWidth = 2;              ///< R, S
    std::int64_t strideHeight = 2, strideWidth = 2;
    std::int64_t padHeight = 0, padWidth = 0; ///< on each side
    bool countPadding = true;                 ///< average pooling alone

    constexpr std::int64_t outputHeight() const { return (height + 2 * padHeight - kernelHeight) / strideHeight + 1; }
    constexpr std::int64_t outputWidth() const { return (width + 2 * padWidth - kernelWidth) / strideWidth + 1; }
};

} // namespace millrace::kernels
