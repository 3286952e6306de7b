// How blocks share a matrix whose columns each have something of their own: a sum, a mean, a factor. A thread keeps a
// few neighbouring columns and walks down the rows of its block's part. Only .cu files include this.
#pragma once

#include "kernels/cuda/values.h"

#include <algorithm>

namespace millrace::kernels::cuda {

constexpr int kRowBlockThreads = 256;

/// A grid of (columns, parts of rows) of blocks of (lanes, groups): lanes lie on neighbouring columns, `count` to each,
/// and each group takes every groups-th row of the part. Depends on the dimensions and the device alone.
struct RowBlocks
{
    dim3 grid, block;
    std::int64_t rowsPerPart = 0;

    std::int64_t parts() const { return grid.y; }

    RowBlocks(const Context& context, std::int64_t rows, std::int64_t columns, int count)
    {
        const std::int64_t vectors = columns / count;
        unsigned lanes = 1;
        while (lanes < kWarp && lanes < vectors) lanes *= 2;
        block = dim3(lanes, kRowBlockThreads / lanes);
        const std::int64_t across = (vectors + lanes - 1) / lanes;
        const std::int64_t wanted = (4 * std::int64_t{context.info().multiprocessors} + across - 1) / across;
        const std::int64_t fewestRows = 8 * std::int64_t{block.y}; // of a part, so that a thread has work
        const std::int64_t most = std::clamp<std::int64_t>(std::min(wanted, rows / fewestRows), 1, 1024);
        rowsPerPart = (rows + most - 1) / most;
        grid = dim3(static_cast<unsigned>(across), static_cast<unsigned>((rows + rowsPerPart - 1) / rowsPerPart));
    }
};

/// Where a thread of such a block stands.
struct RowPlace
{
    std::int64_t column, begin, end; ///< the first of its columns; its part's rows
    int lane, lanes, group, groups;
    bool inside;

    __device__ RowPlace(std::int64_t rows, std::int64_t columns, std::int64_t rowsPerPart, int count)
        : lane(static_cast<int>(threadIdx.x)), lanes(static_cast<int>(blockDim.x)),
          group(static_cast<int>(threadIdx.y)), groups(static_cast<int>(blockDim.y))
    {
        column = (static_cast<std::int64_t>(blockIdx.x) * lanes + lane) * count;
        begin = blockIdx.y * rowsPerPart;
        end = begin + rowsPerPart < rows ? begin + rowsPerPart : rows;
        inside = column < columns;
    }
    /// Of an array for each thread of the block, element i of `count`.
    __device__ int slot(int ofGroup, int i, int count) const { return (ofGroup * count + i) * lanes + lane; }
};

} // namespace millrace::kernels::cuda
