// Picking elements along an axis by index, and adding gradients back to where they were picked.
//
// Backward must add in ascending k, so two kernels share the cases. Where there are many places (o,i), a thread has one
// of them, goes through its indices in order and adds each gradient where it belongs. Where there are few, such threads
// would be few as well: then a thread has one element of dx and searches the indices for those that picked it.
#include "kernels/cuda/device_code.h"
#include "kernels/cuda/kernel.h"
#include "kernels/ops/check.h"

#include <cmath>

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kSearched = 1 << 20; // elements of dx up to which each searches the indices

// kernels

/// A thread for each element of y.
__global__ void __launch_bounds__(kThreads) pick(Gather g, const float* x, const std::int32_t* index, float* y)
{
    const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (at >= g.outer * g.count * g.inner) return;
    const std::int64_t o = at / (g.count * g.inner), i = at % g.inner;
    const std::int64_t s = index[at];
    y[at] = s >= 0 && s < g.size ? x[(o * g.size + s) * g.inner + i] : NAN;
}

/// A thread for each element of dx.
__global__ void __launch_bounds__(kThreads)
    searchIndices(Gather g, const std::int32_t* index, const float* dy, float* dx)
{
    const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (at >= g.outer * g.size * g.inner) return;
    const std::int64_t o = at / (g.size * g.inner), s = at / g.inner % g.size, i = at % g.inner;
    float sum = 0;
    for (std::int64_t k = 0; k < g.count; ++k) {
        const std::int64_t from = (o * g.count + k) * g.inner + i;
        if (index[from] == s) sum += dy[from];
    }
    dx[at] = sum;
}

/// A thread for each (o,i).
__global__ void __launch_bounds__(kThreads) addBack(Gather g, const std::int32_t* index, const float* dy, float* dx)
{
    const std::int64_t at = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (at >= g.outer * g.inner) return;
    const std::int64_t o = at / g.inner, i = at % g.inner;
    float* to = dx + o * g.size * g.inner + i;
    for (std::int64_t s = 0; s < g.size; ++s) to[s * g.inner] = 0;
    for (std::int64_t k = 0; k < g.count; ++k) {
        const std::int64_t from = (o * g.count + k) * g.inner + i, s = index[from];
        if (s >= 0 && s < g.size) to[s * g.inner] += dy[from];
    }
}

Status check(const Gather& g, DType type)
{
    MR_CHECK(requireF32("gather", type));
    return requirePositive("gather", {{"outer", g.outer}, {"size", g.size}, {"count", g.count}, {"inner", g.inner}});
}

} // namespace

// launchers

KernelResult makeGather(Context& context, const Gather& gather, DType type)
{
    MR_CHECK(check(gather, type));
    return makeKernel([&context, gather](const Arguments& arguments) {
        launch(context, pick, blocksFor(gather.outer * gather.count * gather.inner, kThreads), kThreads, 0, gather,
               arguments.input(0), static_cast<const std::int32_t*>(arguments.inputs[1]), arguments.output(0));
    });
}

KernelResult makeGatherBackward(Context& context, const Gather& gather, DType type)
{
    MR_CHECK(check(gather, type));
    return makeKernel([&context, gather](const Arguments& arguments) {
        const std::int64_t places = gather.outer * gather.inner;
        const bool isSearched = places * gather.size <= kSearched;
        launch(context, isSearched ? searchIndices : addBack,
               blocksFor(isSearched ? places * gather.size : places, kThreads), kThreads, 0, gather,
               static_cast<const std::int32_t*>(arguments.inputs[0]), arguments.input(1), arguments.output(0));
    });
}

} // namespace millrace::kernels::cuda
