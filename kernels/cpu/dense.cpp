// Dense layer: three matrix products, the bias as what the first starts from.
#include "kernels/ops/dense.h"

#include "kernels/cpu/column_sums.h"
#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/product.h"

#include <algorithm>

namespace millrace::kernels::cpu {

namespace {

Status check(const Dense& dense)
{
    return requirePositive("dense", {{"batch", dense.batch}, {"inputs", dense.inputs}, {"outputs", dense.outputs}});
}

} // namespace

KernelResult makeDense(const Dense& dense, int threads)
{
    MR_CHECK(check(dense));
    MR_CHECK(refuseFused("dense", dense.epilogue != Epilogue::None));
    const auto [B, I, O, precision, epilogue] = dense;
    const Product product({.m = B, .n = O, .k = I, .bTransposed = true, .precision = precision}, threads);
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
    MR_CHECK(refuseFused("dense", dense.epilogue != Epilogue::None));
    const auto [B, I, O, precision, epilogue] = dense;
    const Product data({.m = B, .n = I, .k = O, .precision = precision}, threads);
    const Product weights({.m = O, .n = I, .k = B, .aTransposed = true, .precision = precision}, threads);
    return makeKernel(
        [=](const Arguments& arguments) {
            const std::int64_t batch = dense.batch, inputs = dense.inputs, outputs = dense.outputs;
            const float *x = arguments.input(0), *weight = arguments.input(1), *dy = arguments.input(2);
            if (float* dx = arguments.output(0))
                data.run({dy, outputs}, {weight, inputs}, Block::Start::Zero, nullptr, dx, arguments.scratch);
            if (float* dweight = arguments.output(1))
                weights.run({dy, outputs}, {x, inputs}, Block::Start::Zero, nullptr, dweight, arguments.scratch);
            if (float* dbias = arguments.output(2)) sumColumns(dy, batch, outputs, dbias, threads);
        },
        std::max(data.scratchBytes(), weights.scratchBytes()));
}

} // namespace millrace::kernels::cpu
