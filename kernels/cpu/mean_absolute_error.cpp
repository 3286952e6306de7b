// Mean absolute error and its gradient.
#include "kernels/ops/mean_absolute_error.h"

#include "kernels/cpu/element_loss.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED ElementLossSum distances(const ElementLossOperands& o, std::int64_t begin, std::int64_t end)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) {
        const double difference = static_cast<double>(o.x[i]) - static_cast<double>(o.target[i]);
        sum += difference < 0 ? -difference : difference;
    }
    for (std::int64_t i = begin; o.dx && i < end; ++i) {
        const float difference = o.x[i] - o.target[i];
        const float sign = difference > 0 ? 1.0F : (difference < 0 ? -1.0F : difference); // NaN stays NaN
        o.dx[i] = o.factor * sign;
    }
    return {sum};
}

} // namespace

KernelResult makeMeanAbsoluteError(const MeanAbsoluteError& loss, int threads)
{
    MR_CHECK(requirePositive("mae", {{"elements", loss.elements}}));
    return makeElementLoss(distances, loss.elements, 0, false, 0.4, threads);
}

} // namespace millrace::kernels::cpu
