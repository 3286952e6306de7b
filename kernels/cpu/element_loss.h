// Losses that are a mean over elements: loss and gradient in one pass over the elements, in pieces of a fixed size
// whose sums are added in order, so that the result does not depend on the number of threads.
#pragma once

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu {

struct ElementLossOperands
{
    const float *x, *target;
    float* dx;       ///< may be x; null: not wanted
    float factor;    ///< of the gradient: 1 / N
    float parameter; ///< what the loss has of its own
};

struct ElementLossSum
{
    double loss = 0;
    std::int64_t hits = 0; ///< of those losses that count them
};

/// The elements begin … end.
using ElementLossLoop = ElementLossSum (*)(const ElementLossOperands&, std::int64_t begin, std::int64_t end);

/// Outputs: loss, [hits where `countsHits`], dx.
inline KernelResult makeElementLoss(ElementLossLoop loop, std::int64_t count, float parameter, bool countsHits,
                                    double nanosecondsEach, int threads)
{
    constexpr std::int64_t kPiece = 4096;
    const std::int64_t pieces = (count + kPiece - 1) / kPiece;
    const auto run = [=](const Arguments& arguments) {
        const ElementLossOperands operands{arguments.input(0), arguments.input(1), arguments.output(countsHits ? 2 : 1),
                                           1.0F / static_cast<float>(count), parameter};
        auto* sums = reinterpret_cast<ElementLossSum*>(arguments.scratch);
        parallelFor(threads, pieces, nanosecondsEach * kPiece, [&](std::int64_t begin, std::int64_t end) {
            for (std::int64_t p = begin; p < end; ++p)
                sums[p] = loop(operands, p * kPiece, std::min((p + 1) * kPiece, count));
        });
        ElementLossSum total;
        for (std::int64_t p = 0; p < pieces; ++p) {
            total.loss += sums[p].loss;
            total.hits += sums[p].hits;
        }
        if (float* loss = arguments.output(0)) *loss = static_cast<float>(total.loss / static_cast<double>(count));
        if (float* hits = countsHits ? arguments.output(1) : nullptr) *hits = static_cast<float>(total.hits);
    };
    return makeKernel(run, static_cast<std::uint64_t>(pieces) * sizeof(ElementLossSum));
}

} // namespace millrace::kernels::cpu
