// Element-wise product.
#include "kernels/ops/multiply.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED void multiply(const float* a, const float* b, float* y, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) y[i] = a[i] * b[i];
}

} // namespace

KernelResult makeMultiply(const Multiply& product, int threads)
{
    MR_CHECK(requirePositive("multiply", {{"elements", product.elements}}));
    return makeKernel([count = product.elements, threads](const Arguments& arguments) {
        parallelFor(threads, count, 0.1, [&](std::int64_t begin, std::int64_t end) {
            multiply(arguments.input(0), arguments.input(1), arguments.output(0), begin, end);
        });
    });
}

} // namespace millrace::kernels::cpu
