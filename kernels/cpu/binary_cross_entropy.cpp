// Binary cross-entropy on logits, hits and gradient.
#include "kernels/ops/binary_cross_entropy.h"

#include "kernels/cpu/element_loss.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED ElementLossSum binaryCrossEntropy(const ElementLossOperands& o, std::int64_t begin, std::int64_t end)
{
    double sum = 0;
    std::int32_t hits = 0;
#pragma omp simd reduction(+ : sum, hits)
    for (std::int64_t i = begin; i < end; ++i) {
        const float x = o.x[i], target = o.target[i];
        const float positive = x < 0 ? 0.0F : x;
        const float loss = positive - x * target + logOnePlus(exponential(x < 0 ? x : -x));
        sum += static_cast<double>(loss);
        hits += (x > 0) == (target > 0.5F) ? 1 : 0;
    }
    for (std::int64_t i = begin; o.dx && i < end; ++i) o.dx[i] = o.factor * (logistic(o.x[i]) - o.target[i]);
    return {sum, hits};
}

} // namespace

KernelResult makeBinaryCrossEntropy(const BinaryCrossEntropy& loss, int threads)
{
    MR_CHECK(requirePositive("binary_cross_entropy", {{"elements", loss.elements}}));
    return makeElementLoss(binaryCrossEntropy, loss.elements, 0, true, 2, threads);
}

} // namespace millrace::kernels::cpu
