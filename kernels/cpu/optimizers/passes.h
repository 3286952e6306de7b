// How optimisers go over flat buffers: one pass over the segments with a rule for each element, and sums over pieces
// that do not depend on the thread count.
#pragma once

#include "kernels/cpu/optimizer.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>
#include <array>

namespace millrace::kernels::cpu {

/// The buffers as the loops take them.
struct Pointers
{
    explicit Pointers(const Buffers& buffers) : weights(buffers.weights.data()), gradients(buffers.gradients.data())
    {
        for (std::size_t i = 0; i < buffers.state.size(); ++i) state[i] = buffers.state[i].data();
    }
    float* weights;
    const float* gradients;
    std::array<float*, 2> state{};
};

/// rule(w, g, state…) for each element; to be called in a function that is MR_VECTORISED.
template <int kStates, class Rule>
MR_INLINE void eachElement(const Rule& rule, const Pointers& at, std::int64_t begin, std::int64_t end)
{
    float *w = at.weights, *first = at.state[0], *second = at.state[1];
    const float* g = at.gradients;
#pragma omp simd
    for (std::int64_t i = begin; i < end; ++i) {
        if constexpr (kStates == 1)
            rule(w[i], g[i], first[i]);
        else
            rule(w[i], g[i], first[i], second[i]);
    }
}

/// The whole update of an element-wise optimiser: range(rule, pointers, begin, end) over the elements of all segments,
/// cut among the threads, where rule is makeRule(weightDecay) for segments that decay and makeRule(0) for others.
template <class MakeRule, class Range>
void updateElements(const Buffers& buffers, double weightDecay, double nanosecondsEach, const MakeRule& makeRule,
                    const Range& range)
{
    if (buffers.segments.empty()) return;
    const auto decaying = makeRule(weightDecay), plain = makeRule(0.0);
    const Pointers at(buffers);
    const auto start = static_cast<std::int64_t>(buffers.segments.front().begin);
    const auto count = static_cast<std::int64_t>(buffers.segments.back().end) - start;
    parallelFor(buffers.threads, count, nanosecondsEach, [&](std::int64_t begin, std::int64_t end) {
        for (const Segment& segment : buffers.segments) {
            const std::int64_t from = std::max(start + begin, static_cast<std::int64_t>(segment.begin));
            const std::int64_t to = std::min(start + end, static_cast<std::int64_t>(segment.end));
            if (from < to) range(segment.decay ? decaying : plain, at, from, to);
        }
    });
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

} // namespace millrace::kernels::cpu
