// GRU: the inputs' part of the gates is one product over all steps; then each thread takes some of the sequences
// through all steps by itself.
#include "kernels/ops/gru.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/recurrent.h"
#include "kernels/cpu/vector_math.h"

namespace millrace::kernels::cpu {

namespace {

Status check(const Gru& g)
{
    return requirePositive("gru", {{"batch", g.batch}, {"steps", g.steps}, {"inputs", g.inputs}, {"width", g.width}});
}

/// What one sequence takes on one thread: the recurrent product and the elements.
double sequenceNanoseconds(const Gru& g)
{
    return static_cast<double>(g.steps * g.width) * (0.06 * static_cast<double>(g.width) + 4);
}

/// A step of one sequence: the inputs' part of the gates becomes gates, p is the hidden part.
MR_VECTORISED void step(float* gates, const float* p, const float* before, float* y, std::int64_t H)
{
#pragma omp simd
    for (std::int64_t h = 0; h < H; ++h) {
        const float r = logistic(gates[h] + p[h]), z = logistic(gates[H + h] + p[H + h]);
        const float n = hyperbolicTangent(gates[2 * H + h] + r * p[2 * H + h]);
        gates[h] = r, gates[H + h] = z, gates[2 * H + h] = n;
        y[h] = (1.0F - z) * n + z * before[h];
    }
}

/// da and dp of a step of one sequence, and what goes on to the state before it beside the product. dhidden is what
/// later steps give.
MR_VECTORISED void stepBackward(const float* gates, const float* product, const float* before, const float* dy,
                                float* dhidden, float* da, float* dp, std::int64_t H)
{
#pragma omp simd
    for (std::int64_t h = 0; h < H; ++h) {
        const float r = gates[h], z = gates[H + h], n = gates[2 * H + h];
        const float dh = dy[h] + dhidden[h];
        const float dn = dh * (1.0F - z) * (1.0F - n * n);
        const float dr = dn * product[h] * r * (1.0F - r), dz = dh * (before[h] - n) * z * (1.0F - z);
        da[h] = dr, da[H + h] = dz, da[2 * H + h] = dn;
        dp[h] = dr, dp[H + h] = dz, dp[2 * H + h] = dn * r;
        dhidden[h] = dh * z;
    }
}

/// Scratch memory of the forward kernel.
struct Forward
{
    float *gates, *p, *weight, *zeros; ///< all steps' gates; one step's hidden part (B,3H); weightHidden as panels
    std::byte* product;
    std::uint64_t bytes;

    Forward(const Gru& g, std::byte* memory)
    {
        Cutter cutter(memory);
        gates = cutter.take(g.batch * g.steps * 3 * g.width);
        p = cutter.take(g.batch * 3 * g.width);
        weight = cutter.take(packedElements(g.width, 3 * g.width));
        zeros = cutter.take(g.width);
        product = cutter.rest();
        bytes = cutter.bytes();
    }
};

/// The sequences first to last through all steps. The operands are those of the contract.
void runSequences(const Gru& g, const Arguments& arguments, const Forward& scratch, float* gates, std::int64_t first,
                  std::int64_t last)
{
    const std::int64_t T = g.steps, H = g.width, columns = blockCode().columns;
    float *y = arguments.output(0), *product = arguments.output(2);
    for (std::int64_t t = 0; t < T; ++t) {
        const float* state = arguments.input(5) ? arguments.input(5) : scratch.zeros;
        const std::int64_t stateRow = t > 0 ? T * H : arguments.input(5) ? H : 0;
        const float* before = t > 0 ? y + (first * T + t - 1) * H : state + first * stateRow;
        blockCode().multiply({.m = last - first,
                              .n = 3 * H,
                              .k = H,
                              .a = before,
                              .aRow = stateRow,
                              .aColumn = 1,
                              .b = scratch.weight,
                              .bRow = columns,
                              .bPanel = H * columns,
                              .c = scratch.p + first * 3 * H,
                              .cRow = 3 * H,
                              .start = Block::Start::Bias,
                              .bias = arguments.input(4)});
        for (std::int64_t b = first; b < last; ++b) {
            const std::int64_t row = b * T + t;
            const float* p = scratch.p + b * 3 * H;
            step(gates + row * 3 * H, p, before + (b - first) * stateRow, y + row * H, H);
            if (product) std::copy_n(p + 2 * H, H, product + row * H);
        }
    }
    float* hidden = arguments.output(3);
    for (std::int64_t b = first; hidden && b < last; ++b) std::copy_n(y + (b * T + T - 1) * H, H, hidden + b * H);
}

/// Scratch memory of the backward kernel.
struct Backward
{
    float *da, *dp, *before, *weight, *dhidden, *zeros;
    std::byte* product;
    std::uint64_t bytes;

    Backward(const Gru& g, std::byte* memory)
    {
        Cutter cutter(memory);
        da = cutter.take(g.batch * g.steps * 3 * g.width);
        dp = cutter.take(g.batch * g.steps * 3 * g.width);
        before = cutter.take(g.batch * g.steps * g.width);
        weight = cutter.take(packedElements(3 * g.width, g.width));
        dhidden = cutter.take(g.batch * g.width);
        zeros = cutter.take(g.width);
        product = cutter.rest();
        bytes = cutter.bytes();
    }
};

/// da and dp of the sequences first to last, from the last step to the first.
void runSequencesBackward(const Gru& g, const Arguments& arguments, const Backward& scratch, std::int64_t first,
                          std::int64_t last)
{
    const std::int64_t T = g.steps, H = g.width, columns = blockCode().columns;
    const float *y = arguments.input(3), *gates = arguments.input(4), *product = arguments.input(5);
    std::fill_n(scratch.dhidden + first * H, (last - first) * H, 0.0F);
    for (std::int64_t t = T - 1; t >= 0; --t) {
        for (std::int64_t b = first; b < last; ++b) {
            const std::int64_t row = b * T + t;
            stepBackward(gates + row * 3 * H, product + row * H, t > 0 ? y + (row - 1) * H : scratch.zeros,
                         arguments.input(6) + row * H, scratch.dhidden + b * H, scratch.da + row * 3 * H,
                         scratch.dp + row * 3 * H, H);
        }
        blockCode().multiply({.m = last - first,
                              .n = H,
                              .k = 3 * H,
                              .a = scratch.dp + (first * T + t) * 3 * H,
                              .aRow = T * 3 * H,
                              .aColumn = 1,
                              .b = scratch.weight,
                              .bRow = columns,
                              .bPanel = 3 * H * columns,
                              .c = scratch.dhidden + first * H,
                              .cRow = H,
                              .start = Block::Start::Accumulate});
    }
}

} // namespace

KernelResult makeGru(const Gru& g, int threads)
{
    MR_CHECK(check(g));
    const Product product({.m = g.batch * g.steps, .n = 3 * g.width, .k = g.inputs, .bTransposed = true}, threads);
    return makeKernel(
        [=](const Arguments& arguments) {
            const std::int64_t H = g.width;
            const Forward scratch(g, arguments.scratch);
            float* gates = arguments.output(1) ? arguments.output(1) : scratch.gates;
            std::fill_n(scratch.zeros, H, 0.0F);
            product.run({arguments.input(0), g.inputs}, {arguments.input(1), g.inputs}, Block::Start::Bias,
                        arguments.input(3), gates, scratch.product);
            packPanels({arguments.input(2), H}, true, H, 3 * H, scratch.weight);
            parallelFor(threads, g.batch, sequenceNanoseconds(g), [&](std::int64_t first, std::int64_t last) {
                runSequences(g, arguments, scratch, gates, first, last);
            });
        },
        Forward(g, nullptr).bytes + product.scratchBytes());
}

KernelResult makeGruBackward(const Gru& g, int threads)
{
    MR_CHECK(check(g));
    const GateProducts products(g.batch * g.steps, g.inputs, 3 * g.width, g.width, threads);
    return makeKernel(
        [=](const Arguments& arguments) {
            const std::int64_t H = g.width;
            const Backward scratch(g, arguments.scratch);
            std::fill_n(scratch.zeros, H, 0.0F);
            packPanels({arguments.input(2), H}, false, 3 * H, H, scratch.weight);
            parallelFor(threads, g.batch, sequenceNanoseconds(g), [&](std::int64_t first, std::int64_t last) {
                runSequencesBackward(g, arguments, scratch, first, last);
            });
            products.runInput(scratch.da, arguments.input(0), arguments.input(1), arguments.output(0),
                              arguments.output(1), arguments.output(3), scratch.product);
            if (arguments.output(2)) shiftSteps({g.batch, g.steps, H}, arguments.input(3), scratch.before);
            products.runHidden(scratch.dp, scratch.before, arguments.output(2), arguments.output(4), scratch.product);
        },
        Backward(g, nullptr).bytes + products.scratchBytes());
}

} // namespace millrace::kernels::cpu
