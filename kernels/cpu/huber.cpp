// Huber's loss and its gradient.
#include "kernels/ops/huber.h"

#include "kernels/cpu/element_loss.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED ElementLossSum huber(const ElementLossOperands& o, std::int64_t begin, std::int64_t end)
{
    const auto delta = static_cast<double>(o.parameter);
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = begin; i < end; ++i) {
        const double difference = static_cast<double>(o.x[i]) - static_cast<double>(o.target[i]);
        const double distance = difference < 0 ? -difference : difference;
        sum += distance > delta ? delta * (distance - 0.5 * delta) : 0.5 * distance * distance;
    }
    for (std::int64_t i = begin; o.dx && i < end; ++i) {
        const float difference = o.x[i] - o.target[i];
        const float low = difference < -o.parameter ? -o.parameter : difference;
        o.dx[i] = o.factor * (low > o.parameter ? o.parameter : low);
    }
    return {sum};
}

} // namespace

KernelResult makeHuber(const Huber& loss, int threads)
{
    MR_CHECK(requirePositive("huber", {{"elements", loss.elements}}));
    if (!(loss.delta > 0))
        return makeError(Code::InvalidArgument, str("huber: delta is ", loss.delta, ", expected more than 0."));
    return makeElementLoss(huber, loss.elements, static_cast<float>(loss.delta), false, 0.5, threads);
}

} // namespace millrace::kernels::cpu
