// The gradient of a bias: sums over the rows of a matrix of any element type.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/cuda/context.h"

#include <cstdint>

namespace millrace::kernels::cuda {

/// sums[c] = sum over r of values[r,c], in an order that depends on the dimensions alone.
/// Shapes   values (rows, columns) row-major, f32, bf16 or f16; sums (columns), f32.
/// Cost     reads the values once.
class BiasGradient
{
public:
    BiasGradient(Context& context, DType type, std::int64_t rows, std::int64_t columns);
    std::uint64_t scratchBytes() const;
    /// Enqueues it. scratch: scratchBytes(), 64-byte aligned.
    void run(const void* values, float* sums, std::byte* scratch) const;

private:
    Context* m_context;
    DType m_type;
    std::int64_t m_rows, m_columns, m_parts; ///< parts of the rows that are summed on their own
};

} // namespace millrace::kernels::cuda
