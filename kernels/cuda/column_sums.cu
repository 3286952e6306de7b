// Sums over rows. What is subtle: neighbouring threads take neighbouring columns, so that rows are read in whole lines,
// and the rows of a column are shared among the warps of a block, whose sums are added in the order of the warps: no
// atomic additions, the same bits each time.
#include "kernels/cuda/column_sums.h"

#include "kernels/cuda/device_code.h"

#include <algorithm>

namespace millrace::kernels::cuda {

namespace {

constexpr int kGroups = 16; // warps of a block, each with every sixteenth row
constexpr std::int64_t kMostParts = 128;

/// Sum of the block's warps' values for the same lane, in warp 0.
__device__ double sumGroups(double sum)
{
    __shared__ double sums[kGroups][kWarp];
    sums[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0) {
        for (int group = 1; group < kGroups; ++group) sum += sums[group][threadIdx.x];
    }
    return sum;
}

__global__ void sumPartialsKernel(const float* partials, std::int64_t parts, std::int64_t width, std::int64_t columns,
                                  float* first, float* second)
{
    const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x;
    double sum = 0;
    for (std::int64_t p = threadIdx.y; c < width && p < parts; p += kGroups)
        sum += static_cast<double>(partials[p * width + c]);
    sum = sumGroups(sum);
    if (threadIdx.y > 0 || c >= width) return;
    if (c < columns && first) first[c] = static_cast<float>(sum);
    if (c >= columns && second) second[c - columns] = static_cast<float>(sum);
}

/// Block (x,y) sums the rows of part y.
__global__ void sumRowsKernel(const float* x, std::int64_t rows, std::int64_t columns, std::int64_t rowsPerPart,
                              float* partials)
{
    const std::int64_t c = static_cast<std::int64_t>(blockIdx.x) * kWarp + threadIdx.x;
    const std::int64_t begin = blockIdx.y * rowsPerPart;
    const std::int64_t end = begin + rowsPerPart < rows ? begin + rowsPerPart : rows;
    float sum = 0;
    for (std::int64_t r = begin + threadIdx.y; c < columns && r < end; r += kGroups) sum += x[r * columns + c];
    const double all = sumGroups(static_cast<double>(sum));
    if (threadIdx.y == 0 && c < columns) partials[blockIdx.y * columns + c] = static_cast<float>(all);
}

} // namespace

void sumPartials(Context& context, const float* partials, std::int64_t parts, std::int64_t width, std::int64_t columns,
                 float* first, float* second)
{
    launch(context, sumPartialsKernel, blocksFor(width, kWarp), dim3(kWarp, kGroups), 0, partials, parts, width,
           columns, first, second);
}

std::int64_t columnParts(std::int64_t rows)
{
    return std::clamp<std::int64_t>(rows / 256, 1, kMostParts);
}

void sumColumns(Context& context, const float* x, std::int64_t rows, std::int64_t columns, float* partials, float* sums)
{
    const std::int64_t parts = columnParts(rows), rowsPerPart = (rows + parts - 1) / parts;
    const dim3 grid(blocksFor(columns, kWarp).x, static_cast<unsigned>(parts));
    launch(context, sumRowsKernel, grid, dim3(kWarp, kGroups), 0, x, rows, columns, rowsPerPart, partials);
    sumPartials(context, partials, parts, columns, columns, sums, nullptr);
}

} // namespace millrace::kernels::cuda
