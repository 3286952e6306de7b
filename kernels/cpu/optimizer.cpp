// Optimisers and whole-buffer functions. Everything is element-wise, or a sum over pieces that do not depend on the
// thread count, so that the result does not either.
#include "kernels/cpu/optimizer.h"

#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::kernels::cpu {

namespace {

struct SgdStep
{
    float learningRate, momentum, decay;
};

MR_VECTORISED void sgdRange(const SgdStep& step, float* w, const float* g, float* v, std::int64_t begin,
                            std::int64_t end)
{
    const auto [learningRate, momentum, decay] = step;
    for (std::int64_t i = begin; i < end; ++i) {
        v[i] = momentum * v[i] + (g[i] + decay * w[i]);
        w[i] -= learningRate * v[i];
    }
}

struct AdamStep
{
    float shrink;                       ///< 1 - learningRate * weightDecay (AdamW)
    float coupledDecay;                 ///< weightDecay (Adam)
    float beta1, newer1, beta2, newer2; ///< newer = 1 - beta, subtracted in f64
    float rate;                         ///< learningRate / (1 - beta1^t)
    float secondScale;                  ///< 1 / sqrt(1 - beta2^t)
    float epsilon;
};

MR_VECTORISED void adamRange(const AdamStep& step, float* w, const float* gradients, float* m, float* v,
                             std::int64_t begin, std::int64_t end)
{
    const auto [shrink, coupledDecay, beta1, newer1, beta2, newer2, rate, secondScale, epsilon] = step;
    for (std::int64_t i = begin; i < end; ++i) {
        const float g = gradients[i] + coupledDecay * w[i];
        m[i] = beta1 * m[i] + newer1 * g;
        v[i] = beta2 * v[i] + newer2 * (g * g);
        w[i] = w[i] * shrink - rate * m[i] / (std::sqrt(v[i]) * secondScale + epsilon);
    }
}

/// Runs update(decay, begin, end) over every segment, each cut among the threads.
template <class Update>
void forSegments(std::span<const Segment> segments, int threads, double nanosecondsEach, const Update& update)
{
    for (const Segment& segment : segments) {
        const auto first = static_cast<std::int64_t>(segment.begin), last = static_cast<std::int64_t>(segment.end);
        parallelFor(threads, last - first, nanosecondsEach,
                    [&](std::int64_t begin, std::int64_t end) { update(segment.decay, first + begin, first + end); });
    }
}

MR_VECTORISED double squaresOf(const float* values, std::int64_t begin, std::int64_t end)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) {
        const auto value = static_cast<double>(values[i]);
        sum += value * value;
    }
    return sum;
}

MR_VECTORISED void scaleRange(float* values, float factor, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) values[i] *= factor;
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

constexpr std::int64_t kPieces = 64; // of a sum; fixed, so that its order is

/// piece(index, begin, end) for the fixed pieces of [0, count), on as many threads as pay.
template <class Piece> void forPieces(std::int64_t count, int threads, const Piece& piece)
{
    const double nanosecondsEach = 0.1 * static_cast<double>(count) / kPieces;
    parallelFor(threads, kPieces, nanosecondsEach, [&](std::int64_t beginPiece, std::int64_t endPiece) {
        for (std::int64_t p = beginPiece; p < endPiece; ++p)
            piece(static_cast<std::size_t>(p), count * p / kPieces, count * (p + 1) / kPieces);
    });
}

} // namespace

void sgd(const Sgd& options, std::span<const Segment> segments, std::span<float> weights,
         std::span<const float> gradients, std::span<float> velocity, int threads)
{
    forSegments(segments, threads, 0.15, [&](bool decay, std::int64_t begin, std::int64_t end) {
        const SgdStep step{static_cast<float>(options.learningRate), static_cast<float>(options.momentum),
                           decay ? static_cast<float>(options.weightDecay) : 0.0F};
        sgdRange(step, weights.data(), gradients.data(), velocity.data(), begin, end);
    });
}

void adam(const Adam& options, std::span<const Segment> segments, std::span<float> weights,
          std::span<const float> gradients, std::span<float> firstMoment, std::span<float> secondMoment, int threads)
{
    const auto t = static_cast<double>(options.step);
    forSegments(segments, threads, 0.35, [&](bool decays, std::int64_t begin, std::int64_t end) {
        const double decay = decays ? options.weightDecay : 0;
        const AdamStep step{static_cast<float>(options.decoupled ? 1 - options.learningRate * decay : 1),
                            static_cast<float>(options.decoupled ? 0 : decay),
                            static_cast<float>(options.beta1),
                            static_cast<float>(1 - options.beta1),
                            static_cast<float>(options.beta2),
                            static_cast<float>(1 - options.beta2),
                            static_cast<float>(options.learningRate / (1 - std::pow(options.beta1, t))),
                            static_cast<float>(1 / std::sqrt(1 - std::pow(options.beta2, t))),
                            static_cast<float>(options.epsilon)};
        adamRange(step, weights.data(), gradients.data(), firstMoment.data(), secondMoment.data(), begin, end);
    });
}

double squaredNorm(std::span<const float> values, int threads)
{
    std::array<double, kPieces> sums{};
    forPieces(static_cast<std::int64_t>(values.size()), threads,
              [&](std::size_t piece, std::int64_t begin, std::int64_t end) {
                  sums[piece] = squaresOf(values.data(), begin, end);
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
