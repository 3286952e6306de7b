// Logarithm of the softmax over rows.
#include "kernels/ops/log_softmax.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax_row.h"

#include <cmath>

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED void logSoftmax(const float* x, float* y, std::int64_t columns, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const float* xRow = x + r * columns;
        float* yRow = y + r * columns;
        const float maximum = rowMaximum(xRow, columns);
        const float logarithm = std::log(sumOfExponentials(xRow, maximum, columns));
        for (std::int64_t c = 0; c < columns; ++c) yRow[c] = xRow[c] - maximum - logarithm;
    }
}

MR_VECTORISED void logSoftmaxBackward(const float* y, const float* dy, float* dx, std::int64_t columns,
                                      std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const float *yRow = y + r * columns, *dyRow = dy + r * columns;
        float* dxRow = dx + r * columns;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::int64_t c = 0; c < columns; ++c) sum += dyRow[c];
        for (std::int64_t c = 0; c < columns; ++c) dxRow[c] = dyRow[c] - exponential(yRow[c]) * sum;
    }
}

double rowNanoseconds(const LogSoftmax& softmax)
{
    return 20 + 0.5 * static_cast<double>(softmax.columns);
}

} // namespace

KernelResult makeLogSoftmax(const LogSoftmax& dimensions, int threads)
{
    MR_CHECK(requirePositive("log_softmax", {{"rows", dimensions.rows}, {"columns", dimensions.columns}}));
    return makeKernel([dimensions, threads](const Arguments& a) {
        parallelFor(threads, dimensions.rows, rowNanoseconds(dimensions), [&](std::int64_t begin, std::int64_t end) {
            logSoftmax(a.input(0), a.output(0), dimensions.columns, begin, end);
        });
    });
}

KernelResult makeLogSoftmaxBackward(const LogSoftmax& dimensions, int threads)
{
    MR_CHECK(requirePositive("log_softmax", {{"rows", dimensions.rows}, {"columns", dimensions.columns}}));
    return makeKernel([dimensions, threads](const Arguments& a) {
        parallelFor(threads, dimensions.rows, rowNanoseconds(dimensions), [&](std::int64_t begin, std::int64_t end) {
            logSoftmaxBackward(a.input(0), a.input(1), a.output(0), dimensions.columns, begin, end);
        });
    });
}

} // namespace millrace::kernels::cpu
