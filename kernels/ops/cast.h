// Contract of the conversion from one type of elements to another.
#pragma once

#include "kernels/base/dtype.h"

#include <cstdint>

namespace millrace::kernels {

/// y[i] = x[i], rounded to the nearest number of y's type, ties to even; beyond f16's range it is infinite.
/// Forward   x -> y.  Its gradient is the conversion back.
/// Shapes    all (N).   Types: f32, bf16, f16, each to each other.   Aliasing: none.
/// Cost      reads N, writes N elements. NaN stays NaN.
/// Errors    InvalidArgument where a type is none of these, or both are the same.
struct Cast
{
    std::int64_t elements = 0; ///< N
    DType from = DType::F32, to = DType::F32;
};

} // namespace millrace::kernels
