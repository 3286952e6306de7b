// What the forward and the backward kernel of attention have in common: the check of their dimensions, and how the
// heads of the sequences are shared among threads.
#pragma once

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"

namespace millrace::kernels::cpu {

inline Status checkAttention(const Attention& a)
{
    MR_CHECK(
        requirePositive("attention", {{"batch", a.batch}, {"steps", a.steps}, {"width", a.width}, {"heads", a.heads}}));
    if (a.width % a.heads == 0) return {};
    return makeError(Code::InvalidArgument,
                     str("attention: a width of ", a.width, " cannot be split into ", a.heads, " heads."));
}

/// The threads for queries against so many keys.
inline int attentionThreads(const Attention& a, std::int64_t keys, int threads)
{
    return threadsFor(4.0 * static_cast<double>(a.batch * a.steps * a.width) * static_cast<double>(keys), threads);
}

/// Calls run(b, h, scratch) for every head of every sequence, with `threadBytes` of the scratch memory for each thread.
template <class Run>
void forEachHead(const Attention& a, int threads, std::byte* scratch, std::uint64_t threadBytes, const Run& run)
{
    const std::int64_t heads = a.batch * a.heads;
    const auto some = [&](int thread) {
        auto* own = reinterpret_cast<float*>(scratch + static_cast<std::uint64_t>(thread) * threadBytes);
        for (std::int64_t i = heads * thread / threads; i < heads * (thread + 1) / threads; ++i)
            run(i / a.heads, i % a.heads, own);
    };
    if (threads == 1) return some(0);
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int thread = 0; thread < threads; ++thread) some(thread);
}

/// The scratch memory of a thread that takes so many floats; no two threads' share a page.
constexpr std::uint64_t threadBytesFor(std::uint64_t floats)
{
    return (floats * sizeof(float) + 4095) / 4096 * 4096;
}

} // namespace millrace::kernels::cpu
