// Contract of the element-wise product of two tensors.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[i] = a[i] b[i].  Its gradients are products too (dy b for a, dy a for b), so there is no backward kernel.
/// Forward   a, b -> y
/// Shapes    all (N).   Types f32.   Aliasing: y may be a or b.
/// Cost      reads 2N, writes N elements.
struct Multiply
{
    std::int64_t elements = 0; ///< N
};

} // namespace millrace::kernels
