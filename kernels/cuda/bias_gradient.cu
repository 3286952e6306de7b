// What is subtle: neighbouring threads take neighbouring columns (16 bytes of them where rows are so aligned), so that
// rows are read in whole lines; the rows are cut into parts so that there are blocks enough for the device, and the
// parts' sums are added by the same kernel in the order of the parts. The cut depends on the dimensions and the
// device's multiprocessors alone, so the same values give the same bits.
#include "kernels/cuda/bias_gradient.h"

#include "kernels/cuda/values.h"

#include <algorithm>

namespace millrace::kernels::cuda {

namespace {

constexpr int kGroups = 8; // warps of a block; each sums every eighth row of the block's part

/// Block (x,y) sums the rows of part y: sums[y,c].
template <class T, int N>
__global__ void sumRows(const T* values, std::int64_t rows, std::int64_t columns, std::int64_t rowsPerPart, float* sums)
{
    __shared__ float shared[kGroups][kWarp * N];
    const std::int64_t column = (static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x) * N;
    const std::int64_t begin = blockIdx.y * rowsPerPart;
    const std::int64_t end = begin + rowsPerPart < rows ? begin + rowsPerPart : rows;
    float sum[N] = {};
    if (column < columns) {
        for (std::int64_t row = begin + threadIdx.y; row < end; row += kGroups) {
            const auto part = Values<T, N>::load(values + row * columns + column);
            for (int i = 0; i < N; ++i) sum[i] += part.at[i];
        }
    }
    for (int i = 0; i < N; ++i) shared[threadIdx.y][i * kWarp + threadIdx.x] = sum[i];
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns) return;
    for (int i = 0; i < N; ++i) {
        for (int group = 1; group < kGroups; ++group) sum[i] += shared[group][i * kWarp + threadIdx.x];
        sums[blockIdx.y * columns + column + i] = sum[i];
    }
}

std::int64_t ceilDivide(std::int64_t a, std::int64_t b)
{
    return (a + b - 1) / b;
}

} // namespace

BiasGradient::BiasGradient(Context& context, DType type, std::int64_t rows, std::int64_t columns)
    : m_context(&context), m_type(type), m_rows(rows), m_columns(columns)
{
    constexpr std::int64_t kFewestRows = 64; // of a part
    const std::int64_t blocksOfColumns = ceilDivide(columns, kWarp * 8);
    const std::int64_t wanted = ceilDivide(4 * std::int64_t{context.info().multiprocessors}, blocksOfColumns);
    m_parts = std::clamp<std::int64_t>(std::min(wanted, rows / kFewestRows), 1, 512);
}

std::uint64_t BiasGradient::scratchBytes() const
{
    return m_parts > 1 ? static_cast<std::uint64_t>(m_parts * m_columns) * sizeof(float) : 0;
}

void BiasGradient::run(const void* values, float* sums, std::byte* scratch) const
{
    float* partial = m_parts > 1 ? reinterpret_cast<float*>(scratch) : sums;
    const dim3 block(kWarp, kGroups);
    byTypeAndColumns(m_type, m_columns, [&](auto element, auto count) {
        using T = decltype(element);
        const dim3 grid(blocksFor(m_columns, kWarp * count).x, static_cast<unsigned>(m_parts));
        launch(*m_context, sumRows<T, count>, grid, block, 0, static_cast<const T*>(values), m_rows, m_columns,
               ceilDivide(m_rows, m_parts), partial);
    });
    if (m_parts > 1)
        launch(*m_context, sumRows<float, 1>, blocksFor(m_columns, kWarp), block, 0, partial, m_parts, m_columns,
               m_parts, sums);
}

} // namespace millrace::kernels::cuda
