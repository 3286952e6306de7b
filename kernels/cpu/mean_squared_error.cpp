// Mean squared error and its gradient.
#include "kernels/ops/mean_squared_error.h"

#include "kernels/cpu/element_loss.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED ElementLossSum squares(const ElementLossOperands& o, std::int64_t begin, std::int64_t end)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) {
        const double difference = static_cast<double>(o.x[i]) - static_cast<double>(o.target[i]);
        sum += difference * difference;
    }
    for (std::int64_t i = begin; o.dx && i < end; ++i) o.dx[i] = 2.0F * o.factor * (o.x[i] - o.target[i]);
    return {sum};
}

} // namespace

KernelResult makeMeanSquaredError(const MeanSquaredError& loss, int threads)
{
    MR_CHECK(requirePositive("mse", {{"elements", loss.elements}}));
    return makeElementLoss(squares, loss.elements, 0, false, 0.4, threads);
}

} // namespace millrace::kernels::cpu
