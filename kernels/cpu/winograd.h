// 3×3 convolution by Winograd's minimal filtering: a quarter of the multiplications of the direct sum.
#pragma once

#include "kernels/ops/conv2d.h"

#include <cstddef>
#include <cstdint>

namespace millrace::kernels::cpu {

/// The three products of a 3×3 convolution with stride 1 as F(4×4, 3×3): a tile of 4×4 results takes 36 products for
/// each pair of channels instead of 144. Each tile of 6×6 pixels is transformed, the 36 positions become 36 matrix
/// products over channels, and the result is transformed back. With d a tile of the image, g a filter, y of the result:
///   forward         y  = At ((G g Gt) . (Bt d B)) A
///   backward data   the same, of dy with the filters turned by 180 degrees and their channels exchanged
///   backward weights dg = Gt (sum over tiles of (Bt d B) . (A dy At)) G
/// Tiles are taken in chunks whose transforms stay in the cache that the cores share.
/// Error    within some 1e-6 of the norm: the points 0, ±1, ±2 magnify rounding by a factor of about 10.
/// Source   Lavin, Gray 2016, arXiv:1509.09308, section 4.3.
class Winograd
{
public:
    /// Whether it computes this convolution, and with clearly fewer operations than the direct sum.
    static bool suits(const Conv2d& conv);

    Winograd(const Conv2d& conv, int threads);

    /// Of all three products; they are run one at a time.
    std::uint64_t scratchBytes() const;

    /// x (B,H,W,C), weight (O,3,3,C), bias (O) or null -> y (B,OH,OW,O)
    void forward(const float* x, const float* weight, const float* bias, float* y, std::byte* scratch) const;
    /// weight, dy -> dx
    void backwardData(const float* weight, const float* dy, float* dx, std::byte* scratch) const;
    /// x, dy -> dweight, dbias; one that is null is not computed
    void backwardWeights(const float* x, const float* dy, float* dweight, float* dbias, std::byte* scratch) const;

private:
    void sumBias(const float* dy, float* dbias) const;

    Conv2d m_conv;
    int m_threads;
};

} // namespace millrace::kernels::cpu
