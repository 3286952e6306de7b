// Contract of picking elements along an axis by index.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[o,k,i] = x[o, index[o,k,i], i]
/// Forward   x, index -> y
/// Backward  index, dy -> dx:  dx[o,s,i] = the sum of dy[o,k,i] over the k with index[o,k,i] = s, in ascending k
/// Shapes    x, dx (O,S,I); index, y, dy (O,K,I); row-major: O the axes before the indexed one, I those after it.
/// Types     f32, index i32.   Aliasing: none.   Cost: reads 2OKI, writes OKI elements (backward and OSI).
/// Errors    an index outside [0,S) gives NaN, and no gradient; indices are checked where data enters.
/// Source    as PyTorch's gather, but index has x's sizes on every other axis, where PyTorch allows fewer.
struct Gather
{
    std::int64_t outer = 0, size = 0, count = 0, inner = 0; ///< O, S, K, I
};

} // namespace millrace::kernels
