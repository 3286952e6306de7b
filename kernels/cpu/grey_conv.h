// Convolution of grey images by a few filters, such as LeNet's first: vectors of pixels, because neither the one
// channel nor the filters fill one.
#pragma once

#include "kernels/ops/conv2d.h"

#include <cstddef>
#include <cstdint>

namespace millrace::kernels::cpu {

/// Each image is copied once with its padding, and each row of results is computed 32 pixels at a time for all filters.
class GreyConvolution
{
public:
    /// One channel, fewer than 16 filters of 3×3, 5×5 or 7×7, stride 1.
    static bool suits(const Conv2d& conv);

    GreyConvolution(const Conv2d& conv, int threads);

    /// Of both products; they are run one at a time.
    std::uint64_t scratchBytes() const;
    /// x (B,H,W,1), weight (O,K,K,1), bias (O) or null -> y (B,OH,OW,O)
    void forward(const float* x, const float* weight, const float* bias, float* y, std::byte* scratch) const;
    /// x, dy -> dweight, dbias; one that is null is not computed
    void backwardWeights(const float* x, const float* dy, float* dweight, float* dbias, std::byte* scratch) const;

private:
    Conv2d m_conv;
    int m_threads;
};

} // namespace millrace::kernels::cpu
