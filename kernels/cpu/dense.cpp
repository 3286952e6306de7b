// Dense layer: three matrix products, the bias as what the first starts from.
#include "kernels/ops/dense.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/product.h"
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
    const auto [B, I, O] = dense;
    const Product product({.m = B, .n = O, .k = I, .bTransposed = true}, threads);
    return makeKernel(
        [=, inputs = I](const Arguments& arguments) {
            const float* bias = arguments.input(2);
            product.run({arguments.input(0), inputs}, {arguments.input(1), inputs},
                        bias ? Block::Start::Bias : Block::Start::Zero, bias, arguments.output(0), arguments.scratch);
        },
        product.scratchBytes());
}

KernelResult makeDenseBackward(const Dense& dense, int threads)
{
    MR_CHECK(check(dense));
    const auto [B, I, O] = dense;
    const Product data({.m = B, .n = I, .k = O}, threads);
    const Product weights({.m = O, .n = I, .k = B, .aTransposed = true}, threads);
    return makeKernel(
        [=](const Arguments& arguments) {
            const std::int64_t batch = dense.batch, inputs = dense.inputs, outputs = dense.outputs;
            const float *x = arguments.input(0), *weight = arguments.input(1), *dy = arguments.input(2);
            if (float* dx = arguments.output(0))
                data.run({dy, outputs}, {weight, inputs}, Block::Start::Zero, nullptr, dx, arguments.scratch);
            if (float* dweight = arguments.output(1))
                weights.run({dy, outputs}, {x, inputs}, Block::Start::Zero, nullptr, dweight, arguments.scratch);
            if (float* dbias = arguments.output(2)) {
                parallelFor(
                    threads, outputs, 0.1 * static_cast<double>(batch),
                    [&](std::int64_t begin, std::int64_t end) { sumColumns(dy, dbias, batch, outputs, begin, end); });
            }
        },
        std::max(data.scratchBytes(), weights.scratchBytes()));
}

} // namespace millrace::kernels::cpu
