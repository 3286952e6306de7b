// Picking elements along an axis by index, and adding gradients back to where they were picked.
#include "kernels/ops/gather.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"

#include <algorithm>
#include <limits>

namespace millrace::kernels::cpu {

namespace {

Status check(const Gather& g)
{
    return requirePositive("gather", {{"outer", g.outer}, {"size", g.size}, {"count", g.count}, {"inner", g.inner}});
}

bool isInside(const Gather& g, std::int32_t index)
{
    return index >= 0 && index < g.size;
}

void pick(const Gather& g, const Arguments& arguments, std::int64_t o)
{
    const float* x = arguments.input(0) + o * g.size * g.inner;
    const auto* index = static_cast<const std::int32_t*>(arguments.inputs[1]) + o * g.count * g.inner;
    float* y = arguments.output(0) + o * g.count * g.inner;
    for (std::int64_t k = 0; k < g.count; ++k, index += g.inner, y += g.inner)
        for (std::int64_t i = 0; i < g.inner; ++i)
            y[i] = isInside(g, index[i]) ? x[index[i] * g.inner + i] : std::numeric_limits<float>::quiet_NaN();
}

void addBack(const Gather& g, const Arguments& arguments, std::int64_t o)
{
    const auto* index = static_cast<const std::int32_t*>(arguments.inputs[0]) + o * g.count * g.inner;
    const float* dy = arguments.input(1) + o * g.count * g.inner;
    float* dx = arguments.output(0) + o * g.size * g.inner;
    std::fill_n(dx, g.size * g.inner, 0.0F);
    for (std::int64_t k = 0; k < g.count; ++k, index += g.inner, dy += g.inner)
        for (std::int64_t i = 0; i < g.inner; ++i)
            if (isInside(g, index[i])) dx[index[i] * g.inner + i] += dy[i];
}

} // namespace

KernelResult makeGather(const Gather& gather, int threads)
{
    MR_CHECK(check(gather));
    return makeKernel([gather, threads](const Arguments& arguments) {
        parallelFor(threads, gather.outer, static_cast<double>(gather.count * gather.inner),
                    [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t o = begin; o < end; ++o) pick(gather, arguments, o);
                    });
    });
}

KernelResult makeGatherBackward(const Gather& gather, int threads)
{
    MR_CHECK(check(gather));
    return makeKernel([gather, threads](const Arguments& arguments) {
        parallelFor(threads, gather.outer, static_cast<double>((gather.size + gather.count) * gather.inner),
                    [&](std::int64_t begin, std::int64_t end) {
                        for (std::int64_t o = begin; o < end; ++o) addBack(gather, arguments, o);
                    });
    });
}

} // namespace millrace::kernels::cpu
