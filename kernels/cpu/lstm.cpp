// LSTM: the inputs' part of the gates is one product over all steps; then each thread takes some of the sequences
// through all steps by itself.
#include "kernels/ops/lstm.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/recurrent.h"
#include "kernels/cpu/vector_math.h"

namespace millrace::kernels::cpu {

namespace {

Status check(const Lstm& l)
{
    return requirePositive("lstm", {{"batch", l.batch}, {"steps", l.steps}, {"inputs", l.inputs}, {"width", l.width}});
}

/// What one sequence's step of one thread takes: the recurrent product and the elements.
double sequenceNanoseconds(const Lstm& l)
{
    return static_cast<double>(l.steps * l.width) * (0.08 * static_cast<double>(l.width) + 5);
}

/// A step of one sequence: gates before their sigmoid or tanh become gates, the cell moves on, and y is the new hidden
/// state.
MR_VECTORISED void step(float* gates, float* cell, float* y, std::int64_t H)
{
#pragma omp simd
    for (std::int64_t h = 0; h < H; ++h) {
        const float i = logistic(gates[h]), f = logistic(gates[H + h]), g = hyperbolicTangent(gates[2 * H + h]);
        const float o = logistic(gates[3 * H + h]);
        const float c = f * cell[h] + i * g;
        gates[h] = i, gates[H + h] = f, gates[2 * H + h] = g, gates[3 * H + h] = o;
        cell[h] = c;
        y[h] = o * hyperbolicTangent(c);
    }
}

/// dgates of a step of one sequence, before sigmoid and tanh, and dcell of the step before it. `before` is the cell
/// before the step; dhidden what later steps give.
MR_VECTORISED void stepBackward(const float* gates, const float* cell, const float* before, const float* dy,
                                const float* dhidden, float* dcell, float* dgates, std::int64_t H)
{
#pragma omp simd
    for (std::int64_t h = 0; h < H; ++h) {
        const float i = gates[h], f = gates[H + h], g = gates[2 * H + h], o = gates[3 * H + h];
        const float c = hyperbolicTangent(cell[h]), dh = dy[h] + dhidden[h];
        const float dc = dcell[h] + dh * o * (1.0F - c * c);
        dgates[h] = dc * g * i * (1.0F - i);
        dgates[H + h] = dc * before[h] * f * (1.0F - f);
        dgates[2 * H + h] = dc * i * (1.0F - g * g);
        dgates[3 * H + h] = dh * c * o * (1.0F - o);
        dcell[h] = dc * f;
    }
}

/// Scratch memory of the forward kernel.
struct Forward
{
    float *gates, *bias, *weight, *cell; ///< all steps' gates; the sum of the biases; weightHidden as panels; (B,H)
    std::byte* product;
    std::uint64_t bytes;

    Forward(const Lstm& l, std::byte* memory)
    {
        Cutter cutter(memory);
        gates = cutter.take(l.batch * l.steps * 4 * l.width);
        bias = cutter.take(4 * l.width);
        weight = cutter.take(packedElements(l.width, 4 * l.width));
        cell = cutter.take(l.batch * l.width);
        product = cutter.rest();
        bytes = cutter.bytes();
    }
};

/// The sequences first to last through all steps. The operands are those of the contract.
void runSequences(const Lstm& l, const Arguments& arguments, const Forward& scratch, float* gates, std::int64_t first,
                  std::int64_t last)
{
    const std::int64_t T = l.steps, H = l.width, columns = blockCode().columns;
    const float *hidden = arguments.input(5), *cell = arguments.input(6);
    float *y = arguments.output(0), *cells = arguments.output(1);
    for (std::int64_t b = first; b < last; ++b) {
        if (cell)
            std::copy_n(cell + b * H, H, scratch.cell + b * H);
        else
            std::fill_n(scratch.cell + b * H, H, 0.0F);
    }
    for (std::int64_t t = 0; t < T; ++t) {
        const float* from = t > 0 ? y + (first * T + t - 1) * H : hidden ? hidden + first * H : nullptr;
        if (from)
            blockCode().multiply({.m = last - first,
                                  .n = 4 * H,
                                  .k = H,
                                  .a = from,
                                  .aRow = t > 0 ? T * H : H,
                                  .aColumn = 1,
                                  .b = scratch.weight,
                                  .bRow = columns,
                                  .bPanel = H * columns,
                                  .c = gates + (first * T + t) * 4 * H,
                                  .cRow = T * 4 * H,
                                  .start = Block::Start::Accumulate});
        for (std::int64_t b = first; b < last; ++b) {
            const std::int64_t row = b * T + t;
            step(gates + row * 4 * H, scratch.cell + b * H, y + row * H, H);
            if (cells) std::copy_n(scratch.cell + b * H, H, cells + row * H);
        }
    }
    for (std::int64_t b = first; b < last; ++b) {
        if (float* to = arguments.output(3)) std::copy_n(y + (b * T + T - 1) * H, H, to + b * H);
        if (float* to = arguments.output(4)) std::copy_n(scratch.cell + b * H, H, to + b * H);
    }
}

/// Scratch memory of the backward kernel.
struct Backward
{
    float *dgates, *before, *weight, *dhidden, *dcell;
    std::byte* product;
    std::uint64_t bytes;

    Backward(const Lstm& l, std::byte* memory)
    {
        Cutter cutter(memory);
        dgates = cutter.take(l.batch * l.steps * 4 * l.width);
        before = cutter.take(l.batch * l.steps * l.width);
        weight = cutter.take(packedElements(4 * l.width, l.width));
        dhidden = cutter.take(l.batch * l.width);
        dcell = cutter.take((l.batch + 1) * l.width); // and zeros: the cell before the first step
        product = cutter.rest();
        bytes = cutter.bytes();
    }
};

/// dgates of the sequences first to last, from the last step to the first.
void runSequencesBackward(const Lstm& l, const Arguments& arguments, const Backward& scratch, std::int64_t first,
                          std::int64_t last)
{
    const std::int64_t T = l.steps, H = l.width, columns = blockCode().columns;
    const float *cells = arguments.input(4), *gates = arguments.input(5), *dy = arguments.input(6);
    std::fill_n(scratch.dhidden + first * H, (last - first) * H, 0.0F);
    std::fill_n(scratch.dcell + first * H, (last - first) * H, 0.0F);
    const float* zeros = scratch.dcell + l.batch * H;
    for (std::int64_t t = T - 1; t >= 0; --t) {
        for (std::int64_t b = first; b < last; ++b) {
            const std::int64_t row = b * T + t;
            stepBackward(gates + row * 4 * H, cells + row * H, t > 0 ? cells + (row - 1) * H : zeros, dy + row * H,
                         scratch.dhidden + b * H, scratch.dcell + b * H, scratch.dgates + row * 4 * H, H);
        }
        if (t > 0)
            blockCode().multiply({.m = last - first,
                                  .n = H,
                                  .k = 4 * H,
                                  .a = scratch.dgates + (first * T + t) * 4 * H,
                                  .aRow = T * 4 * H,
                                  .aColumn = 1,
                                  .b = scratch.weight,
                                  .bRow = columns,
                                  .bPanel = 4 * H * columns,
                                  .c = scratch.dhidden + first * H,
                                  .cRow = H});
    }
}

} // namespace

KernelResult makeLstm(const Lstm& l, int threads)
{
    MR_CHECK(check(l));
    const Product product({.m = l.batch * l.steps, .n = 4 * l.width, .k = l.inputs, .bTransposed = true}, threads);
    return makeKernel(
        [=](const Arguments& arguments) {
            const std::int64_t H = l.width;
            const Forward scratch(l, arguments.scratch);
            float* gates = arguments.output(2) ? arguments.output(2) : scratch.gates;
            for (std::int64_t g = 0; g < 4 * H; ++g) scratch.bias[g] = arguments.input(3)[g] + arguments.input(4)[g];
            product.run({arguments.input(0), l.inputs}, {arguments.input(1), l.inputs}, Block::Start::Bias,
                        scratch.bias, gates, scratch.product);
            packPanels({arguments.input(2), H}, true, H, 4 * H, scratch.weight);
            parallelFor(threads, l.batch, sequenceNanoseconds(l), [&](std::int64_t first, std::int64_t last) {
                runSequences(l, arguments, scratch, gates, first, last);
            });
        },
        Forward(l, nullptr).bytes + product.scratchBytes());
}

KernelResult makeLstmBackward(const Lstm& l, int threads)
{
    MR_CHECK(check(l));
    const GateProducts products(l.batch * l.steps, l.inputs, 4 * l.width, l.width, threads);
    return makeKernel(
        [=](const Arguments& arguments) {
            const std::int64_t H = l.width;
            const Backward scratch(l, arguments.scratch);
            std::fill_n(scratch.dcell + l.batch * H, H, 0.0F);
            packPanels({arguments.input(2), H}, false, 4 * H, H, scratch.weight);
            parallelFor(threads, l.batch, sequenceNanoseconds(l), [&](std::int64_t first, std::int64_t last) {
                runSequencesBackward(l, arguments, scratch, first, last);
            });
            products.runInput(scratch.dgates, arguments.input(0), arguments.input(1), arguments.output(0),
                              arguments.output(1), arguments.output(3), scratch.product);
            if (arguments.output(2)) shiftSteps({l.batch, l.steps, H}, arguments.input(3), scratch.before);
            products.runHidden(scratch.dgates, scratch.before, arguments.output(2), arguments.output(4),
                               scratch.product);
        },
        Backward(l, nullptr).bytes + products.scratchBytes());
}

} // namespace millrace::kernels::cpu
