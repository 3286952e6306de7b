// Contract of reordering a tensor's axes.
#pragma once

#include <cstdint>
#include <vector>

namespace millrace::kernels {

/// y[i_order[0], i_order[1], …] = x[i_0, i_1, …]: axis k of y is axis order[k] of x, as PyTorch's permute.
/// Forward   x -> y.   Its gradient is the transposition by the inverse order, so there is no backward kernel.
/// Shapes    x has the sizes `shape`, row-major.   Types f32.   Aliasing: none.
/// Cost      reads N, writes N elements.
/// Errors    InvalidArgument unless order holds each axis once.
struct Transpose
{
    std::vector<std::int64_t> shape, order;
};

} // namespace millrace::kernels
