// Contract of max and average pooling to a given size.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// Output (p,q) sees the rows floor(pH/P) … ceil((p+1)H/P) - 1 and the columns likewise; the windows may overlap and
/// differ by one in size. P = Q = 1 is global pooling.
/// Shapes    x, dx (B,H,W,C); y, dy (B,P,Q,C); row-major.   Types f32.   Aliasing: none.
/// Cost      reads BHWC, writes BPQC elements.
///
/// Max pooling       Forward  x -> y; NaN wins.   Backward  x, dy -> dx: to the first maximum in row-major order.
/// Average pooling   Forward  x -> y              Backward  dy -> dx
/// Source    as PyTorch's AdaptiveMaxPool2d and AdaptiveAvgPool2d; global: Lin, Chen, Yan 2013, arXiv:1312.4400.
struct AdaptivePool2d
{
    std::int64_t batch = 0, height = 0, width = 0, channels = 0; ///< B, H, W, C
    std::int64_t outputRows = 1, outputColumns = 1;              ///< P, Q

    constexpr std::int64_t outputHeight() const { return outputRows; }
    constexpr std::int64_t outputWidth() const { return outputColumns; }
};

} // namespace millrace::kernels
