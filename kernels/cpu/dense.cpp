// Dense layer on oneDNN's matrix product, which keeps small products on one thread.
#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu {

namespace {

Status check(const Dense& dense)
{
    return requirePositive("dense", {{"batch", dense.batch}, {"inputs", dense.inputs}, {"outputs", dense.outputs}});
}

/// sums[c] = sum of column c of values (rows, columns), for columns begin to end.
MR_VECTORISED void sumColumns(const float* values, float* sums, std::int64_t rows, std::int64_t columns,
                              std::int64_t begin, std::int64_t end)
{
    for (std::int64_t c = begin; c < end; ++c) sums[c] = 0;
    for (std::int64_t r = 0; r < rows; ++r) {
        const float* row = values + r * columns;
        for (std::int64_t c = begin; c < end; ++c) sums[c] += row[c];
    }
}

} // namespace

KernelResult makeDense(const Dense& dense, int threads)
{
    MR_CHECK(check(dense));
    return makeKernel([dense, threads](const Arguments& arguments) {
        const auto& [batch, inputs, outputs] = dense;
        const float* bias = arguments.input(2);
        float* y = arguments.output(0);
        if (bias) {
            for (std::int64_t b = 0; b < batch; ++b) std::copy_n(bias, outputs, y + b * outputs);
        }
        onednn::multiply(batch, outputs, inputs, {arguments.input(0), inputs}, {arguments.input(1), inputs, true},
                         bias != nullptr, y, threads);
    });
}

KernelResult makeDenseBackward(const Dense& dense, int threads)
{
    MR_CHECK(check(dense));
    return makeKernel([dense, threads](const Arguments& arguments) {
        const std::int64_t batch = dense.batch, inputs = dense.inputs, outputs = dense.outputs;
        const float *x = arguments.input(0), *weight = arguments.input(1), *dy = arguments.input(2);
        if (float* dx = arguments.output(0))
            onednn::multiply(batch, inputs, outputs, {dy, outputs}, {weight, inputs}, false, dx, threads);
        if (float* dweight = arguments.output(1))
            onednn::multiply(outputs, inputs, batch, {dy, outputs, true}, {x, inputs}, false, dweight, threads);
        if (float* dbias = arguments.output(2)) {
            parallelFor(threads, outputs, 0.1 * static_cast<double>(batch), [&](std::int64_t begin, std::int64_t end) {
                sumColumns(dy, dbias, batch, outputs, begin, end);
            });
        }
    });
}

} // namespace millrace::kernels::cpu
