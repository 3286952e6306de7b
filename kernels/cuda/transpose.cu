// Reordering axes. What moves together is merged first. Where the last axis of y is the last of x, rows are copied by
// vectors of 16 bytes as far as their lengths divide. Else tiles of the two axes that are last on either side go
// through shared memory, so that reads and writes both are of neighbours; the tile's rows are one element longer than
// needed, so that a column lies in different banks. Elements are moved, not computed with: only their size matters.
#include "kernels/cuda/axes.h"
#include "kernels/cuda/kernel.h"
#include "kernels/ops/transpose_axes.h"

#include <algorithm>

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kTile = 32, kTileRows = 8; // threads along a tile's rows, and how many rows at a time

/// Planes of `rows`, neighbours in x and rowTo apart in y, by `columns`, neighbours in y and columnFrom apart in x.
struct Planes
{
    std::int64_t rows, columns, columnFrom, rowTo;
    std::int64_t rowTiles, columnTiles, count;
    Axes from, to; ///< the other axes in x and in y
};

// kernels

/// y[i] = x[offset of i]
template <class Unit>
__global__ void __launch_bounds__(kThreads) moveRows(Axes axes, std::int64_t n, const Unit* x, Unit* y)
{
    const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (i < n) y[i] = x[axes.offset(i)];
}

template <class Unit>
__global__ void __launch_bounds__(kTile* kTileRows) moveTiles(Planes planes, const Unit* x, Unit* y)
{
    __shared__ Unit tile[kTile][kTile + 1];
    const std::int64_t tiles = planes.rowTiles * planes.columnTiles, block = blockIdx.x;
    const std::int64_t row = block % tiles / planes.columnTiles * kTile, column = block % planes.columnTiles * kTile;
    const Unit* from = x + planes.from.offset(block / tiles);
    Unit* to = y + planes.to.offset(block / tiles);
    const int lane = static_cast<int>(threadIdx.x), line = static_cast<int>(threadIdx.y);
    for (int c = line; c < kTile; c += kTileRows)
        if (row + lane < planes.rows && column + c < planes.columns)
            tile[c][lane] = from[row + lane + (column + c) * planes.columnFrom];
    __syncthreads();
    for (int r = line; r < kTile; r += kTileRows)
        if (row + r < planes.rows && column + lane < planes.columns)
            to[(row + r) * planes.rowTo + column + lane] = tile[lane][r];
}

// launchers

/// The last axis is last in x too; `width` elements of it are moved at a time.
template <class Unit>
KernelResult makeRows(Context& context, const std::vector<TransposeAxis>& merged, std::int64_t width)
{
    Axes axes;
    for (std::size_t i = 0; i + 1 < merged.size(); ++i)
        MR_CHECK(axes.add("transpose", merged[i].size, merged[i].from / width));
    MR_CHECK(axes.add("transpose", merged.back().size / width, 1));
    return makeKernel([&context, axes, n = axes.positions()](const Arguments& arguments) {
        launch(context, moveRows<Unit>, blocksFor(n, kThreads), kThreads, 0, axes, n,
               static_cast<const Unit*>(arguments.inputs[0]), static_cast<Unit*>(arguments.outputs[0]));
    });
}

template <class Unit> KernelResult makeTiles(Context& context, std::vector<TransposeAxis> axes)
{
    const TransposeAxis columns = axes.back();
    axes.pop_back();
    const auto near = std::ranges::min_element(axes, {}, &TransposeAxis::from); // x's last axis
    const TransposeAxis rows = *near;
    axes.erase(near);
    Planes planes{rows.size,
                  columns.size,
                  columns.from,
                  rows.to,
                  (rows.size + kTile - 1) / kTile,
                  (columns.size + kTile - 1) / kTile,
                  1,
                  {},
                  {}};
    for (const TransposeAxis& axis : axes) {
        MR_CHECK(planes.from.add("transpose", axis.size, axis.from));
        MR_CHECK(planes.to.add("transpose", axis.size, axis.to));
    }
    planes.count = planes.from.positions();
    return makeKernel([&context, planes](const Arguments& arguments) {
        launch(context, moveTiles<Unit>, blocksFor(planes.count * planes.rowTiles * planes.columnTiles, 1),
               dim3(kTile, kTileRows), 0, planes, static_cast<const Unit*>(arguments.inputs[0]),
               static_cast<Unit*>(arguments.outputs[0]));
    });
}

template <class Unit> KernelResult make(Context& context, const std::vector<TransposeAxis>& axes)
{
    if (axes.back().from != 1) return makeTiles<Unit>(context, axes);
    constexpr auto kWidth = static_cast<std::int64_t>(sizeof(uint4) / sizeof(Unit));
    bool divides = axes.back().size % kWidth == 0;
    for (std::size_t i = 0; i + 1 < axes.size(); ++i) divides = divides && axes[i].from % kWidth == 0;
    return divides ? makeRows<uint4>(context, axes, kWidth) : makeRows<Unit>(context, axes, 1);
}

Status check(const Transpose& t)
{
    std::vector<bool> seen(t.shape.size());
    for (const std::int64_t axis : t.order)
        if (axis >= 0 && axis < static_cast<std::int64_t>(seen.size())) seen[static_cast<std::size_t>(axis)] = true;
    if (t.order.size() != t.shape.size() || std::ranges::find(seen, false) != seen.end())
        return makeError(Code::InvalidArgument, "transpose: the order does not hold each axis once.");
    for (const std::int64_t size : t.shape) MR_CHECK(requirePositive("transpose", {{"an axis", size}}));
    return {};
}

} // namespace

KernelResult makeTranspose(Context& context, const Transpose& transpose, DType type)
{
    MR_CHECK(check(transpose));
    const std::vector<TransposeAxis> axes = mergedAxes(transpose);
    return sizeBytes(type) == sizeof(std::uint32_t) ? make<std::uint32_t>(context, axes)
                                                    : make<std::uint16_t>(context, axes);
}

} // namespace millrace::kernels::cuda
