#include "kernels/cpu/peak.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace millrace::kernels::cpu {

namespace {

// Twelve chains of multiply-adds: enough for two units of four or five cycles each, and for the registers of all.
constexpr int kChains = 12;
constexpr std::int64_t kRounds = 2'000'000;

/// Runs rounds of `operationsPerRound` on every thread and returns the best of several, in GFLOP/s.
template <class Rounds> double best(int threads, double operationsPerRound, const Rounds& rounds)
{
    double best = 0;
    for (int attempt = 0; attempt < 5; ++attempt) {
        const auto start = std::chrono::steady_clock::now();
        parallelFor(threads, threads, kSplitNanoseconds, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t part = begin; part < end; ++part) rounds();
        });
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        best = std::max(best, operationsPerRound * static_cast<double>(kRounds) * threads / time.count() / 1e9);
    }
    return best;
}

/// Keeps the compiler from leaving out, or merging, what it has computed.
template <class Vector> MR_INLINE void keep(Vector& value)
{
    asm volatile("" : "+m"(value));
}

using Four __attribute__((vector_size(16))) = float;
using Eight __attribute__((vector_size(32))) = float;
using Sixteen __attribute__((vector_size(64))) = float;

template <class Vector> MR_INLINE void multiplyAdds()
{
    const Vector factor = Vector{} + 0.999F, term = Vector{} + 0.001F;
    Vector chain[kChains];
#pragma GCC unroll 12
    for (auto& one : chain) {
        one = factor;
        keep(one);
    }
    for (std::int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
        for (auto& one : chain) one = one * factor + term;
    }
#pragma GCC unroll 12
    for (auto& one : chain) keep(one);
}

void multiplyAddsOfFour()
{
    multiplyAdds<Four>();
}

#if defined(__x86_64__)
__attribute__((target("avx512f"))) void multiplyAddsAvx512()
{
    multiplyAdds<Sixteen>();
}

__attribute__((target("avx2,fma"))) void multiplyAddsAvx2()
{
    multiplyAdds<Eight>();
}

__attribute__((target("avx512f,avx512bf16"))) void multiplyAddsBf16()
{
    const auto factor = reinterpret_cast<__m512bh>(_mm512_set1_ps(0.001F));
    __m512 chain[kChains];
#pragma GCC unroll 12
    for (auto& one : chain) {
        one = _mm512_set1_ps(0.5F);
        keep(one);
    }
    for (std::int64_t round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
        for (auto& one : chain) one = _mm512_dpbf16_ps(one, factor, factor);
    }
#pragma GCC unroll 12
    for (auto& one : chain) keep(one);
}
#endif

} // namespace

double peakGflops(int threads)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) return best(threads, 2.0 * 16 * kChains, multiplyAddsAvx512);
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return best(threads, 2.0 * 8 * kChains, multiplyAddsAvx2);
#endif
    return best(threads, 2.0 * 4 * kChains, multiplyAddsOfFour);
}

double peakGflopsBf16(int threads)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512bf16")) return best(threads, 2.0 * 32 * kChains, multiplyAddsBf16);
#endif
    return 0;
}

double streamGigabytesPerSecond(int threads)
{
    constexpr std::int64_t kFloats = 16 << 20;
    const auto a = std::make_unique_for_overwrite<float[]>(kFloats),
               b = std::make_unique_for_overwrite<float[]>(kFloats),
               c = std::make_unique_for_overwrite<float[]>(kFloats);
    const auto pass = [&](const auto& body) { parallelFor(threads, kFloats, 1, body); };
    pass([&](std::int64_t begin, std::int64_t end) { // each thread touches its own pages first
        for (std::int64_t i = begin; i < end; ++i) a[i] = 0, b[i] = 1, c[i] = 2;
    });
    double best = 0;
    for (int attempt = 0; attempt < 5; ++attempt) {
        const auto start = std::chrono::steady_clock::now();
        pass([&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t i = begin; i < end; ++i) a[i] = b[i] + 3.0F * c[i];
        });
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
        best = std::max(best, 3.0 * kFloats * sizeof(float) / time.count() / 1e9);
    }
    return best;
}

} // namespace millrace::kernels::cpu
