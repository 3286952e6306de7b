// Sum, mean and maximum over axes. Neighbouring axes that are both kept or both reduced are merged; what is left last
// is the inner loop: a row that is kept (many results side by side) or reduced (one result).
#include "kernels/ops/reduce.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <limits>

namespace millrace::kernels::cpu {

namespace {

constexpr std::int64_t kColumns = 64; // handled together, on the stack

struct Axis
{
    std::int64_t size, stride;
};

/// Where in x the i-th position of those axes lies.
MR_INLINE std::int64_t offsetOf(const std::vector<Axis>& axes, std::int64_t i)
{
    std::int64_t offset = 0;
    for (std::size_t axis = axes.size(); axis-- > 0;) {
        offset += i % axes[axis].size * axes[axis].stride;
        i /= axes[axis].size;
    }
    return offset;
}

/// The loops: `rows` results or rows of them, each from `steps` pieces of x that are `inner` long.
struct Loops
{
    explicit Loops(const Reduce& reduce)
    {
        std::vector<Axis> merged;
        std::vector<bool> isReduced;
        std::int64_t stride = 1;
        for (std::size_t axis = reduce.shape.size(); axis-- > 0;) { // from the innermost
            const std::int64_t size = reduce.shape[axis];
            if (size > 1 && !merged.empty() && isReduced.back() == reduce.reduced[axis]) {
                merged.back().size *= size;
            } else if (size > 1) {
                merged.push_back({size, stride});
                isReduced.push_back(reduce.reduced[axis]);
            }
            stride *= size;
        }
        if (!merged.empty()) {
            inner = merged.front().size;
            innerReduced = isReduced.front();
        }
        for (std::size_t i = merged.size(); i-- > 1;) (isReduced[i] ? reduced : kept).push_back(merged[i]);
        for (const Axis& axis : kept) rows *= axis.size;
        for (const Axis& axis : reduced) steps *= axis.size;
    }

    std::int64_t count() const { return steps * (innerReduced ? inner : 1); } ///< what one result is made of
    std::int64_t width() const { return innerReduced ? 1 : inner; }           ///< results of a row

    std::vector<Axis> kept, reduced; ///< but for the inner one, outermost first
    std::int64_t inner = 1, rows = 1, steps = 1;
    bool innerReduced = false;
};

MR_VECTORISED void sumRows(const Loops& loops, const float* x, float* y, double factor, std::int64_t begin,
                           std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const float* row = x + offsetOf(loops.kept, r);
        if (loops.innerReduced) {
            double sum = 0;
            for (std::int64_t s = 0; s < loops.steps; ++s) {
                const float* from = row + offsetOf(loops.reduced, s);
#pragma omp simd reduction(+ : sum)
                for (std::int64_t i = 0; i < loops.inner; ++i) sum += static_cast<double>(from[i]);
            }
            y[r] = static_cast<float>(sum * factor);
            continue;
        }
        for (std::int64_t first = 0; first < loops.inner; first += kColumns) {
            const std::int64_t width = std::min(kColumns, loops.inner - first);
            double sums[kColumns] = {};
            for (std::int64_t s = 0; s < loops.steps; ++s) {
                const float* from = row + offsetOf(loops.reduced, s) + first;
                for (std::int64_t i = 0; i < width; ++i) sums[i] += static_cast<double>(from[i]);
            }
            float* to = y + r * loops.inner + first;
            for (std::int64_t i = 0; i < width; ++i) to[i] = static_cast<float>(sums[i] * factor);
        }
    }
}

MR_VECTORISED void maximumRows(const Loops& loops, const float* x, float* y, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const float* row = x + offsetOf(loops.kept, r);
        if (loops.innerReduced) {
            float maximum = -std::numeric_limits<float>::infinity();
            std::int32_t broken = 0;
            for (std::int64_t s = 0; s < loops.steps; ++s) {
                const float* from = row + offsetOf(loops.reduced, s);
#pragma omp simd reduction(max : maximum) reduction(| : broken)
                for (std::int64_t i = 0; i < loops.inner; ++i) {
                    maximum = from[i] > maximum ? from[i] : maximum;
                    broken |= from[i] != from[i] ? 1 : 0;
                }
            }
            y[r] = broken != 0 ? std::numeric_limits<float>::quiet_NaN() : maximum;
            continue;
        }
        float* to = y + r * loops.inner;
        std::copy_n(row, loops.inner, to);
        for (std::int64_t s = 1; s < loops.steps; ++s) {
            const float* from = row + offsetOf(loops.reduced, s);
            for (std::int64_t i = 0; i < loops.inner; ++i)
                to[i] = ((from[i] > to[i]) | (from[i] != from[i])) ? from[i] : to[i];
        }
    }
}

/// dx = factor dy
MR_VECTORISED void spreadRows(const Loops& loops, const float* dy, float* dx, float factor, std::int64_t begin,
                              std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const float* from = dy + r * loops.width();
        for (std::int64_t s = 0; s < loops.steps; ++s) {
            float* to = dx + offsetOf(loops.kept, r) + offsetOf(loops.reduced, s);
            if (loops.innerReduced) {
                std::fill_n(to, loops.inner, factor * from[0]);
            } else {
                for (std::int64_t i = 0; i < loops.inner; ++i) to[i] = factor * from[i];
            }
        }
    }
}

struct MaximumOperands
{
    const float *x, *y, *dy;
    float* dx;
};

MR_VECTORISED void spreadMaximum(const Loops& loops, const MaximumOperands& o, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const std::int64_t row = offsetOf(loops.kept, r);
        if (loops.innerReduced) {
            const float maximum = o.y[r];
            std::int32_t ties = 0;
            for (std::int64_t s = 0; s < loops.steps; ++s) {
                const float* x = o.x + row + offsetOf(loops.reduced, s);
                for (std::int64_t i = 0; i < loops.inner; ++i) ties += x[i] == maximum ? 1 : 0;
            }
            const float share = o.dy[r] / static_cast<float>(ties);
            for (std::int64_t s = 0; s < loops.steps; ++s) {
                const std::int64_t at = row + offsetOf(loops.reduced, s);
                for (std::int64_t i = 0; i < loops.inner; ++i) o.dx[at + i] = o.x[at + i] == maximum ? share : 0.0F;
            }
            continue;
        }
        for (std::int64_t first = 0; first < loops.inner; first += kColumns) {
            const std::int64_t width = std::min(kColumns, loops.inner - first);
            const float *maxima = o.y + r * loops.inner + first, *dy = o.dy + r * loops.inner + first;
            float ties[kColumns] = {};
            for (std::int64_t s = 0; s < loops.steps; ++s) {
                const float* x = o.x + row + offsetOf(loops.reduced, s) + first;
                for (std::int64_t i = 0; i < width; ++i) ties[i] += x[i] == maxima[i] ? 1.0F : 0.0F;
            }
            for (std::int64_t i = 0; i < width; ++i) ties[i] = dy[i] / ties[i];
            for (std::int64_t s = 0; s < loops.steps; ++s) {
                const std::int64_t at = row + offsetOf(loops.reduced, s) + first;
                for (std::int64_t i = 0; i < width; ++i) o.dx[at + i] = o.x[at + i] == maxima[i] ? ties[i] : 0.0F;
            }
        }
    }
}

Status check(const Reduce& reduce)
{
    for (const std::int64_t size : reduce.shape) MR_CHECK(requirePositive("reduce", {{"an axis", size}}));
    if (reduce.reduced.size() == reduce.shape.size() && std::ranges::find(reduce.reduced, true) != reduce.reduced.end())
        return {};
    return makeError(Code::InvalidArgument, str("reduce: of ", reduce.shape.size(), " axes ", reduce.reduced.size(),
                                                " are marked, expected as many and at least one to reduce."));
}

double rowNanoseconds(const Loops& loops)
{
    return 0.3 * static_cast<double>(loops.steps * loops.inner);
}

} // namespace

KernelResult makeReduce(const Reduce& reduce, int threads)
{
    MR_CHECK(check(reduce));
    return makeKernel([loops = Loops(reduce), operation = reduce.operation, threads](const Arguments& a) {
        const double factor = operation == Reduction::Mean ? 1.0 / static_cast<double>(loops.count()) : 1.0;
        parallelFor(threads, loops.rows, rowNanoseconds(loops), [&](std::int64_t begin, std::int64_t end) {
            if (operation == Reduction::Max)
                maximumRows(loops, a.input(0), a.output(0), begin, end);
            else
                sumRows(loops, a.input(0), a.output(0), factor, begin, end);
        });
    });
}

KernelResult makeReduceBackward(const Reduce& reduce, int threads)
{
    MR_CHECK(check(reduce));
    return makeKernel([loops = Loops(reduce), operation = reduce.operation, threads](const Arguments& a) {
        const float factor = operation == Reduction::Mean ? 1.0F / static_cast<float>(loops.count()) : 1.0F;
        parallelFor(threads, loops.rows, rowNanoseconds(loops), [&](std::int64_t begin, std::int64_t end) {
            if (operation == Reduction::Max)
                spreadMaximum(loops, {a.input(0), a.input(1), a.input(2), a.output(0)}, begin, end);
            else
                spreadRows(loops, a.input(0), a.output(0), factor, begin, end);
        });
    });
}

} // namespace millrace::kernels::cpu
