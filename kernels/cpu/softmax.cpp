// Softmax over rows.
#include "kernels/ops/softmax.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/softmax_row.h"

namespace millrace::kernels::cpu {

namespace {

MR_VECTORISED void softmax(const float* x, float* y, std::int64_t columns, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const float* xRow = x + r * columns;
        float* yRow = y + r * columns;
        const float factor = 1.0F / exponentials(xRow, yRow, rowMaximum(xRow, columns), columns);
        for (std::int64_t c = 0; c < columns; ++c) yRow[c] *= factor;
    }
}

MR_VECTORISED void softmaxBackward(const float* y, const float* dy, float* dx, std::int64_t columns, std::int64_t begin,
                                   std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        const float *yRow = y + r * columns, *dyRow = dy + r * columns;
        float* dxRow = dx + r * columns;
        float dot = 0;
#pragma omp simd reduction(+ : dot)
        for (std::int64_t c = 0; c < columns; ++c) dot += yRow[c] * dyRow[c];
        for (std::int64_t c = 0; c < columns; ++c) dxRow[c] = yRow[c] * (dyRow[c] - dot);
    }
}

double rowNanoseconds(const Softmax& softmax)
{
    return 0.5 * static_cast<double>(softmax.columns);
}

} // namespace

KernelResult makeSoftmax(const Softmax& dimensions, int threads)
{
    MR_CHECK(requirePositive("softmax", {{"rows", dimensions.rows}, {"columns", dimensions.columns}}));
    return makeKernel([dimensions, threads](const Arguments& arguments) {
        parallelFor(threads, dimensions.rows, rowNanoseconds(dimensions), [&](std::int64_t begin, std::int64_t end) {
            softmax(arguments.input(0), arguments.output(0), dimensions.columns, begin, end);
        });
    });
}

KernelResult makeSoftmaxBackward(const Softmax& dimensions, int threads)
{
    MR_CHECK(requirePositive("softmax", {{"rows", dimensions.rows}, {"columns", dimensions.columns}}));
    return makeKernel([dimensions, threads](const Arguments& arguments) {
        parallelFor(threads, dimensions.rows, rowNanoseconds(dimensions), [&](std::int64_t begin, std::int64_t end) {
            softmaxBackward(arguments.input(0), arguments.input(1), arguments.output(0), dimensions.columns, begin,
                            end);
        });
    });
}

} // namespace millrace::kernels::cpu
