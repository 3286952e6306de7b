// Mean squared error and its gradient.
#include "kernels/ops/mean_squared_error.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED double squaredDifferences(const float* x, const float* target, std::int64_t count)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < count; ++i) {
        const double difference = static_cast<double>(x[i]) - static_cast<double>(target[i]);
        sum += difference * difference;
    }
    return sum;
}

MR_VECTORISED void gradient(const float* x, const float* target, float* dx, float factor, std::int64_t begin,
                            std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) dx[i] = factor * (x[i] - target[i]);
}

} // namespace

KernelResult makeMeanSquaredError(const MeanSquaredError& loss, int threads)
{
    MR_CHECK(requirePositive("mse", {{"elements", loss.elements}}));
    return makeKernel([count = loss.elements, threads](const Arguments& arguments) {
        const float *x = arguments.input(0), *target = arguments.input(1);
        if (float* value = arguments.output(0))
            *value = static_cast<float>(squaredDifferences(x, target, count) / static_cast<double>(count));
        if (float* dx = arguments.output(1)) {
            const float factor = 2.0F / static_cast<float>(count);
            parallelFor(threads, count, 0.1,
                        [&](std::int64_t begin, std::int64_t end) { gradient(x, target, dx, factor, begin, end); });
        }
    });
}

} // namespace millrace::kernels::cpu
