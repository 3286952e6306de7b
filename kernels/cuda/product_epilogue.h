// What follows a matrix product, as kernels of their own: where cuBLASLt has no such epilogue, or a slower one.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/cuda/context.h"
#include "kernels/ops/epilogue.h"

#include <cstdint>

namespace millrace::kernels::cuda {

/// In place: z = d + bias; d = f(z). bias may be null (then 0), z as well (then it is not written).
/// Shapes   d, z (rows, columns) row-major; bias (columns); all of that type.
void applyEpilogue(Context& context, DType type, Epilogue epilogue, void* d, const void* bias, void* z,
                   std::int64_t rows, std::int64_t columns);

/// In place: d = d f'(v), with f' as epilogue.h says it follows from v.
/// Shapes   d, v (elements), of that type.
void applyEpilogueGradient(Context& context, DType type, Epilogue epilogue, void* d, const void* v,
                           std::int64_t elements);

} // namespace millrace::kernels::cuda
