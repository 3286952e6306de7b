// Reordering axes. What moves together is merged first; then the last axis of y is written in order, in tiles where it
// is not the last of x, so that reads and writes both stay in the cache.
#include "kernels/ops/transpose.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"
#include "kernels/ops/transpose_axes.h"

#include <algorithm>
#include <cstring>

namespace millrace::kernels::cpu {

namespace {

constexpr std::int64_t kTile = 16;

/// One plane of y: `rows` of `columns`, whose neighbours are `rowFrom` and `columnFrom` apart in x.
struct Plane
{
    std::int64_t rows, columns, rowFrom, columnFrom, rowTo;
};

MR_VECTORISED void copyPlane(const Plane& p, const float* x, float* y)
{
    if (p.columnFrom == 1) {
        for (std::int64_t r = 0; r < p.rows; ++r)
            std::memcpy(y + r * p.rowTo, x + r * p.rowFrom, static_cast<std::size_t>(p.columns) * sizeof(float));
        return;
    }
    for (std::int64_t r = 0; r < p.rows; r += kTile) {
        for (std::int64_t c = 0; c < p.columns; c += kTile) {
            const std::int64_t rowEnd = std::min(r + kTile, p.rows), columnEnd = std::min(c + kTile, p.columns);
            for (std::int64_t row = r; row < rowEnd; ++row) {
                const float* from = x + row * p.rowFrom;
                float* to = y + row * p.rowTo;
                for (std::int64_t column = c; column < columnEnd; ++column) to[column] = from[column * p.columnFrom];
            }
        }
    }
}

/// The transposition as planes, one for each position of the other axes. A plane's rows are the axis of y whose
/// elements are neighbours in x, where there is one: then a tile reads and writes whole cache lines.
struct Planes
{
    explicit Planes(const Transpose& t) : outer(mergedAxes(t))
    {
        const TransposeAxis columns = outer.back();
        outer.pop_back();
        TransposeAxis rows{1, 0, 0};
        if (!outer.empty()) {
            const auto near = std::ranges::min_element(outer, {}, &TransposeAxis::from);
            rows = columns.from == 1 ? outer.back() : *near;
            outer.erase(columns.from == 1 ? outer.end() - 1 : near);
        }
        plane = {rows.size, columns.size, rows.from, columns.from, rows.to};
        for (const TransposeAxis& axis : outer) count *= axis.size;
    }

    Plane plane;
    std::vector<TransposeAxis> outer;
    std::int64_t count = 1;
};

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

KernelResult makeTranspose(const Transpose& transpose, int threads)
{
    MR_CHECK(check(transpose));
    return makeKernel([planes = Planes(transpose), threads](const Arguments& arguments) {
        const double nanoseconds = 0.5 * static_cast<double>(planes.plane.rows * planes.plane.columns);
        parallelFor(threads, planes.count, nanoseconds, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) {
                std::int64_t from = 0, to = 0, rest = i;
                for (std::size_t axis = planes.outer.size(); axis-- > 0;) {
                    const TransposeAxis& a = planes.outer[axis];
                    from += rest % a.size * a.from;
                    to += rest % a.size * a.to;
                    rest /= a.size;
                }
                copyPlane(planes.plane, arguments.input(0) + from, arguments.output(0) + to);
            }
        });
    });
}

} // namespace millrace::kernels::cpu
