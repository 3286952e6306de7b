// Contract of the sum, mean and maximum over axes.
#pragma once

#include <cstdint>
#include <vector>

namespace millrace::kernels {

enum class Reduction
{
    Sum,
    Mean,
    Max
};

/// y[kept] = the sum, mean or maximum of x over the reduced axes; the reduced axes are gone from y.
/// Forward   x -> y                       NaN wins a maximum.
/// Backward  Sum, Mean  dy -> dx:         dx = dy, divided by the number of elements for Mean
///           Max        x, y, dy -> dx:   dx = dy / (how often the maximum occurs) where x is the maximum, else 0
/// Shapes    x, dx have the sizes `shape`, row-major; y, dy those of the axes that are not reduced.
/// Types     f32, sums in f64.   Aliasing: none.
/// Cost      reads N elements forward; writes N elements backward (Max: reads 2N as well).
/// Errors    InvalidArgument where no axis, or one that is not there, is reduced.
/// Source    as PyTorch's sum, mean and amax (which shares the gradient evenly among equal maxima; its max over one
///           axis gives it to one of them).
struct Reduce
{
    Reduction operation = Reduction::Sum;
    std::vector<std::int64_t> shape;
    std::vector<bool> reduced; ///< by axis
};

} // namespace millrace::kernels
