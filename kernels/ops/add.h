// Contract of the element-wise sum of two tensors.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[i] = a[i] + b[i].  Its gradient is dy for both, so there is no backward kernel.
/// Forward   a, b -> y
/// Shapes    all (N).   Types f32.   Aliasing: y may be a or b.
/// Cost      reads 2N, writes N elements.
struct Add
{
    std::int64_t elements = 0; ///< N
};

} // namespace millrace::kernels
