// What is subtle: neighbouring threads take neighbouring columns (16 bytes of them where rows are so aligned), so that
// rows are read in whole lines; the rows are cut into parts so that there are blocks enough for the device, and the
// parts' sums are added in a fixed order. The cut depends on the dimensions and the device alone, so the same values
// give the same bits.
#include "kernels/cuda/bias_gradient.h"

#include "kernels/cuda/row_blocks.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kMergeGroups = 32; // of a block that adds parts: it has so many warps

/// sums[part,c] of the part's rows.
template <class T, int N>
__global__ void sumRowsOfParts(const T* values, std::int64_t rows, std::int64_t columns, std::int64_t rowsPerPart,
                               float* sums)
{
    __shared__ float shared[kRowBlockThreads * N];
    const RowPlace place(rows, columns, rowsPerPart, N);
    float sum[N] = {};
    for (std::int64_t row = place.begin + place.group; place.inside && row < place.end; row += place.groups) {
        const auto part = Values<T, N>::load(values + row * columns + place.column);
        for (int i = 0; i < N; ++i) sum[i] += part.at[i];
    }
    for (int i = 0; i < N; ++i) shared[place.slot(place.group, i, N)] = sum[i];
    __syncthreads();
    if (place.group > 0 || !place.inside) return;
    for (int i = 0; i < N; ++i) {
        for (int group = 1; group < place.groups; ++group) sum[i] += shared[place.slot(group, i, N)];
        sums[blockIdx.y * columns + place.column + i] = sum[i];
    }
}

__global__ void sumParts(const float* partial, std::int64_t parts, std::int64_t columns, float* sums)
{
    __shared__ float shared[kMergeGroups][kWarp];
    const std::int64_t column = static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x;
    float sum = 0;
    for (std::int64_t part = threadIdx.y; column < columns && part < parts; part += kMergeGroups)
        sum += partial[part * columns + column];
    shared[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y > 0 || column >= columns) return;
    for (int group = 1; group < kMergeGroups; ++group) sum += shared[group][threadIdx.x];
    sums[column] = sum;
}

int elementsAtOnce(DType type, std::int64_t columns)
{
    return byTypeAndColumns(type, columns, [](auto, auto count) { return int{count}; });
}

} // namespace

BiasGradient::BiasGradient(Context& context, DType type, std::int64_t rows, std::int64_t columns)
    : m_context(&context), m_type(type), m_rows(rows), m_columns(columns),
      m_parts(RowBlocks(context, rows, columns, elementsAtOnce(type, columns)).parts())
{
}

std::uint64_t BiasGradient::scratchBytes() const
{
    return m_parts > 1 ? static_cast<std::uint64_t>(m_parts * m_columns) * sizeof(float) : 0;
}

void BiasGradient::run(const void* values, float* sums, std::byte* scratch) const
{
    float* partial = m_parts > 1 ? reinterpret_cast<float*>(scratch) : sums;
    byTypeAndColumns(m_type, m_columns, [&](auto element, auto count) {
        using T = decltype(element);
        const RowBlocks blocks(*m_context, m_rows, m_columns, count);
        launch(*m_context, sumRowsOfParts<T, count>, blocks.grid, blocks.block, 0, static_cast<const T*>(values),
               m_rows, m_columns, blocks.rowsPerPart, partial);
    });
    if (m_parts > 1)
        launch(*m_context, sumParts, blocksFor(m_columns, kWarp), dim3(kWarp, kMergeGroups), 0, partial, m_parts,
               m_columns, sums);
}

} // namespace millrace::kernels::cuda
