// Functions of whole buffers. Everything is element-wise, or a sum over pieces that do not depend on the thread count,
// so that the result does not either.
#include "kernels/cpu/optimizer.h"

#include "kernels/cpu/optimizers/passes.h"

#include <bit>

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED double dotOf(const float* a, const float* b, std::int64_t begin, std::int64_t end)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
}

MR_VECTORISED void scaleRange(float* values, float factor, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) values[i] *= factor;
}

MR_VECTORISED void combineRange(float* values, float own, const float* other, float factor, std::int64_t begin,
                                std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) values[i] = own * values[i] + factor * other[i];
}

MR_VECTORISED void clampRange(float* values, float limit, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const float below = values[i] > limit ? limit : values[i];
        values[i] = below < -limit ? -limit : below;
    }
}

/// Not 0 where a value has all its exponent bits set: NaN or infinity.
MR_VECTORISED std::uint32_t nonFinite(const float* values, std::int64_t begin, std::int64_t end)
{
    constexpr std::uint32_t kExponent = 0x7F800000U;
    std::uint32_t found = 0;
#pragma omp simd reduction(| : found)
    for (std::int64_t i = begin; i < end; ++i)
        found |= (std::bit_cast<std::uint32_t>(values[i]) & kExponent) == kExponent ? 1U : 0U;
    return found;
}

} // namespace

double squaredNorm(std::span<const float> values, int threads)
{
    return dot(values, values, threads);
}

double dot(std::span<const float> a, std::span<const float> b, int threads)
{
    std::array<double, kPieces> sums{};
    forPieces(static_cast<std::int64_t>(a.size()), threads,
              [&](std::size_t piece, std::int64_t begin, std::int64_t end) {
                  sums[piece] = dotOf(a.data(), b.data(), begin, end);
              });
    double total = 0;
    for (const double sum : sums) total += sum;
    return total;
}

void scale(std::span<float> values, float factor, int threads)
{
    parallelFor(threads, static_cast<std::int64_t>(values.size()), 0.08,
                [&](std::int64_t begin, std::int64_t end) { scaleRange(values.data(), factor, begin, end); });
}

void combine(std::span<float> values, float own, std::span<const float> other, float factor, int threads)
{
    parallelFor(threads, static_cast<std::int64_t>(values.size()), 0.12, [&](std::int64_t begin, std::int64_t end) {
        combineRange(values.data(), own, other.data(), factor, begin, end);
    });
}

void clamp(std::span<float> values, float limit, int threads)
{
    parallelFor(threads, static_cast<std::int64_t>(values.size()), 0.08,
                [&](std::int64_t begin, std::int64_t end) { clampRange(values.data(), limit, begin, end); });
}

bool allFinite(std::span<const float> values, int threads)
{
    std::array<std::uint32_t, kPieces> found{};
    forPieces(static_cast<std::int64_t>(values.size()), threads,
              [&](std::size_t piece, std::int64_t begin, std::int64_t end) {
                  found[piece] = nonFinite(values.data(), begin, end);
              });
    return std::ranges::all_of(found, [](std::uint32_t piece) { return piece == 0; });
}

} // namespace millrace::kernels::cpu
