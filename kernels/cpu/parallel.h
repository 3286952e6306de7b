// Splitting a loop over threads in a way that never changes its result.
#pragma once

#include <cstdint>

namespace millrace::kernels::cpu {

/// Calls body(begin, end) for pieces that cover [0, count), one piece a thread. Work under two grains stays on the
/// calling thread. It is one thread or all of them, because libgomp ends and restarts threads when a team's size
/// changes. The body must give the same bits however the range is cut.
template <class Body> void parallelFor(int threads, std::int64_t count, std::int64_t grain, const Body& body)
{
    if (threads == 1 || count < 2 * grain) {
        body(std::int64_t{0}, count);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        const std::int64_t begin = count * part / threads, end = count * (part + 1) / threads;
        if (begin < end) body(begin, end);
    }
}

/// Elements per thread from which a loop of a few operations per element gains from a second thread.
constexpr std::int64_t kElementGrain = 16384;

} // namespace millrace::kernels::cpu
