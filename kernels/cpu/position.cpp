// Learned positions, added to a sequence.
#include "kernels/ops/position.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu {

namespace {

Status check(const Position& p)
{
    MR_CHECK(requirePositive("position",
                             {{"batch", p.batch}, {"steps", p.steps}, {"width", p.width}, {"places", p.places}}));
    if (p.steps <= p.places) return {};
    return makeError(Code::InvalidArgument,
                     str("position: a sequence of ", p.steps, " does not fit a table of ", p.places, " places."));
}

std::int64_t offsetOf(const Position& p, const void* offset)
{
    if (!offset) return 0;
    return std::clamp<std::int64_t>(*static_cast<const std::int32_t*>(offset), 0, p.places - p.steps);
}

MR_VECTORISED void addRows(const Position& p, const float* x, const float* table, float* y, std::int64_t begin,
                           std::int64_t end)
{
    for (std::int64_t row = begin; row < end; ++row) {
        const float *from = x + row * p.width, *place = table + row % p.steps * p.width;
        float* to = y + row * p.width;
#pragma omp simd
        for (std::int64_t c = 0; c < p.width; ++c) to[c] = from[c] + place[c];
    }
}

/// dtable[t] = sum_b dy[b,t] for the steps begin to end.
MR_VECTORISED void sumBatch(const Position& p, const float* dy, float* dtable, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t t = begin; t < end; ++t) {
        float* sum = dtable + t * p.width;
        std::copy_n(dy + t * p.width, p.width, sum);
        for (std::int64_t b = 1; b < p.batch; ++b) {
            const float* row = dy + (b * p.steps + t) * p.width;
#pragma omp simd
            for (std::int64_t c = 0; c < p.width; ++c) sum[c] += row[c];
        }
    }
}

} // namespace

KernelResult makePosition(const Position& p, int threads)
{
    MR_CHECK(check(p));
    return makeKernel([p, threads](const Arguments& arguments) {
        const float* table = arguments.input(1) + offsetOf(p, arguments.inputs[2]) * p.width;
        parallelFor(threads, p.batch * p.steps, 0.15 * static_cast<double>(p.width),
                    [&](std::int64_t begin, std::int64_t end) {
                        addRows(p, arguments.input(0), table, arguments.output(0), begin, end);
                    });
    });
}

KernelResult makePositionBackward(const Position& p, int threads)
{
    MR_CHECK(check(p));
    return makeKernel([p, threads](const Arguments& arguments) {
        const std::int64_t first = offsetOf(p, arguments.inputs[1]);
        float* dtable = arguments.output(0);
        std::fill_n(dtable, first * p.width, 0.0F);
        std::fill(dtable + (first + p.steps) * p.width, dtable + p.places * p.width, 0.0F);
        parallelFor(threads, p.steps, 0.1 * static_cast<double>(p.batch * p.width),
                    [&](std::int64_t begin, std::int64_t end) {
                        sumBatch(p, arguments.input(0), dtable + first * p.width, begin, end);
                    });
    });
}

} // namespace millrace::kernels::cpu
