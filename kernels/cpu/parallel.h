// Splitting a loop over threads in a way that never changes its result.
#pragma once

#include <cstdint>

namespace millrace::kernels::cpu {

/// Work from which a second thread pays. Waking a sleeping thread takes some 10 to 50 microseconds; where the machine
/// has other work, much more, so that a short loop is better not split at all.
constexpr double kSplitNanoseconds = 60'000;

/// The threads for a product of so many floating-point operations: all of them where they pay, at some 100 GFLOP/s
/// each.
constexpr int threadsFor(double flops, int threads)
{
    return flops / 100 < kSplitNanoseconds ? 1 : threads;
}

/// Calls body(begin, end) for pieces that cover [0, count), one piece a thread. `nanosecondsEach` is roughly what one
/// of the `count` takes on one thread; with too little to do, the calling thread does it alone. It is one thread or all
/// of them, because libgomp ends and restarts threads when a team's size changes. The body must give the same bits
/// however the range is cut.
template <class Body> void parallelFor(int threads, std::int64_t count, double nanosecondsEach, const Body& body)
{
    if (threads == 1 || static_cast<double>(count) * nanosecondsEach < kSplitNanoseconds) {
        body(std::int64_t{0}, count);
        return;
    }
#pragma omp parallel for num_threads(threads) schedule(static, 1)
    for (int part = 0; part < threads; ++part) {
        const std::int64_t begin = count * part / threads, end = count * (part + 1) / threads;
        if (begin < end) body(begin, end);
    }
}

} // namespace millrace::kernels::cpu
