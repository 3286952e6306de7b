// Muon: the momentum of each matrix is made orthogonal before it is applied; AdamW updates everything else.
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/optimizers/passes.h"

#include <cmath>

namespace millrace::kernels::cpu {

namespace {

bool isMatrix(const Segment& segment)
{
    return segment.rows > 0 && segment.columns > 0;
}

struct Blend
{
    float kept, newer;         ///< of the momentum
    float ahead, fromMomentum; ///< the direction is ahead g + fromMomentum m
};

/// Moves the momentum and writes the direction.
MR_VECTORISED void moveMomentum(const Blend& blend, const float* g, float* m, float* direction, std::int64_t begin,
                                std::int64_t end)
{
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
        m[i] = blend.kept * m[i] + blend.newer * g[i];
        direction[i] = blend.ahead * g[i] + blend.fromMomentum * m[i];
    }
}

/// The memory of the iteration for one matrix.
struct Scratch
{
    std::span<float> x, next, gram, polynomial;
    Scratch(const Segment& segment, std::span<float> memory)
    {
        const auto elements = static_cast<std::size_t>(segment.rows * segment.columns);
        const auto side = static_cast<std::size_t>(std::min(segment.rows, segment.columns));
        x = memory.first(elements);
        next = memory.subspan(elements, elements);
        gram = memory.subspan(2 * elements, side * side);
        polynomial = memory.subspan(2 * elements + side * side, side * side);
    }
    static std::size_t size(const Segment& segment)
    {
        const std::int64_t side = std::min(segment.rows, segment.columns);
        return static_cast<std::size_t>(2 * (segment.rows * segment.columns + side * side));
    }
};

/// Replaces x (rows, columns) by what is nearly the orthogonal matrix closest to it.
void orthogonalize(const Segment& segment, Scratch& scratch, int threads)
{
    const std::int64_t R = segment.rows, C = segment.columns, side = std::min(R, C);
    const bool wide = R <= C;
    const auto [a, b, c] = Muon::kNewtonSchulz;
    const double norm = std::sqrt(squaredNorm(scratch.x, threads));
    scale(scratch.x, static_cast<float>(1 / std::max(norm, Muon::kSmallestNorm)), threads);
    for (int iteration = 0; iteration < Muon::kIterations; ++iteration) {
        const float *x = scratch.x.data(), *gram = scratch.gram.data(), *polynomial = scratch.polynomial.data();
        // of the smaller side: X X^T, or X^T X, whose polynomial then multiplies from the right
        onednn::multiply(side, side, wide ? C : R, {x, C, !wide}, {x, C, wide}, false, scratch.gram.data(), threads);
        onednn::multiply(side, side, side, {gram, side}, {gram, side}, false, scratch.polynomial.data(), threads);
        combine(scratch.polynomial, static_cast<float>(c), scratch.gram, static_cast<float>(b), threads);
        if (wide)
            onednn::multiply(R, C, R, {polynomial, R}, {x, C}, false, scratch.next.data(), threads);
        else
            onednn::multiply(R, C, C, {x, C}, {polynomial, C}, false, scratch.next.data(), threads);
        combine(scratch.x, static_cast<float>(a), scratch.next, 1.0F, threads);
    }
}

void updateMatrix(const Muon& options, const Segment& segment, const Buffers& buffers)
{
    const auto first = static_cast<std::size_t>(segment.begin);
    const std::size_t count = static_cast<std::size_t>(segment.end) - first;
    const auto momentum = static_cast<float>(options.momentum), newer = static_cast<float>(1 - options.momentum);
    const Blend blend{momentum, newer, options.nesterov ? newer : 0.0F, options.nesterov ? momentum : 1.0F};
    Scratch scratch(segment, buffers.scratch);
    parallelFor(buffers.threads, static_cast<std::int64_t>(count), 0.2, [&](std::int64_t begin, std::int64_t end) {
        moveMomentum(blend, buffers.gradients.data() + first, buffers.state[0].data() + first, scratch.x.data(), begin,
                     end);
    });
    orthogonalize(segment, scratch, buffers.threads);
    const double shape = static_cast<double>(segment.rows) / static_cast<double>(segment.columns);
    const double shrink = 1 - options.learningRate * (segment.decay ? options.weightDecay : 0);
    combine(buffers.weights.subspan(first, count), static_cast<float>(shrink), scratch.x,
            static_cast<float>(-options.learningRate * std::sqrt(std::max(1.0, shape))), buffers.threads);
}

} // namespace

std::size_t muonScratch(std::span<const Segment> segments)
{
    std::size_t most = 0;
    for (const Segment& segment : segments)
        if (isMatrix(segment)) most = std::max(most, Scratch::size(segment));
    return most;
}

void update(const Muon& options, const Buffers& buffers)
{
    const Adam adam{options.learningRate, options.beta1, options.beta2, options.epsilon,
                    options.weightDecay,  true,          options.step};
    Buffers one = buffers;
    for (std::size_t i = 0; i < buffers.segments.size(); ++i) {
        one.segments = buffers.segments.subspan(i, 1);
        if (isMatrix(buffers.segments[i]))
            updateMatrix(options, buffers.segments[i], buffers);
        else
            update(adam, one);
    }
}

} // namespace millrace::kernels::cpu
