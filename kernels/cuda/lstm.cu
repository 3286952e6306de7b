// LSTM on a GPU: the inputs' part of the gates is one product over all steps; then, step by step, a product with the
// hidden state and a kernel for the elements. The states of a step lie in scratch memory, (B,H) without gaps, so that
// every step's product has the same operands. Backward the other way round, and at the end one product over all steps
// for each of the weights.
#include "kernels/ops/lstm.h"

#include "kernels/cuda/cutter.h"
#include "kernels/cuda/device_code.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/recurrent.h"
#include "kernels/ops/check.h"

#include <utility>

namespace millrace::kernels::cuda {

namespace {

constexpr int kThreads = 128;

__device__ float sigmoid(float x)
{
    return 1.0F / (1.0F + expf(-x));
}

struct StepOperands
{
    float* gates;         ///< (B,T,4H): the inputs' part comes in, the gates go out
    const float* product; ///< (B,4H), the hidden state's part; null where that state is zero
    const float *biasInput, *biasHidden;
    float *hidden, *cell; ///< (B,H), of the step before and then of this one
    float *y, *cells;     ///< (B,T,H); may be null
};

__global__ void stepForward(StepOperands o, Lstm l, std::int64_t t)
{
    const std::int64_t H = l.width;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < l.batch * H;
         i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        const std::int64_t b = i / H, h = i % H, row = b * l.steps + t;
        float* gates = o.gates + row * 4 * H + h;
        float z[4];
        for (int g = 0; g < 4; ++g) {
            z[g] = gates[g * H] + o.biasInput[g * H + h] + o.biasHidden[g * H + h];
            if (o.product) z[g] += o.product[(b * 4 + g) * H + h];
        }
        const float in = sigmoid(z[0]), forget = sigmoid(z[1]), candidate = tanhf(z[2]), out = sigmoid(z[3]);
        const float cell = forget * o.cell[i] + in * candidate, hidden = out * tanhf(cell);
        gates[0] = in;
        gates[H] = forget;
        gates[2 * H] = candidate;
        gates[3 * H] = out;
        o.cell[i] = cell;
        o.hidden[i] = hidden;
        if (o.y) o.y[row * H + h] = hidden;
        if (o.cells) o.cells[row * H + h] = cell;
    }
}

struct StepBackwardOperands
{
    const float *y, *cells, *gates, *dy;
    const float* dhidden; ///< (B,H): what later steps give
    float* dcell;         ///< (B,H): of the step after, then of this one
    float *dgates, *own;  ///< before sigmoid and tanh: of all steps, and of this one (B,4H)
    float* before;        ///< (B,T,H): the hidden state before each step
};

__global__ void stepBackward(StepBackwardOperands o, Lstm l, std::int64_t t)
{
    const std::int64_t H = l.width;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < l.batch * H;
         i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        const std::int64_t b = i / H, h = i % H, row = b * l.steps + t, at = row * H + h;
        const float* gates = o.gates + row * 4 * H + h;
        const float in = gates[0], forget = gates[H], candidate = gates[2 * H], out = gates[3 * H];
        const float c = tanhf(o.cells[at]), cellBefore = t > 0 ? o.cells[at - H] : 0;
        const float dh = o.dy[at] + o.dhidden[i], dc = o.dcell[i] + dh * out * (1.0F - c * c);
        const float d[4] = {dc * candidate * in * (1.0F - in), dc * cellBefore * forget * (1.0F - forget),
                            dc * in * (1.0F - candidate * candidate), dh * c * out * (1.0F - out)};
        for (int g = 0; g < 4; ++g) {
            o.dgates[(row * 4 + g) * H + h] = d[g];
            o.own[(b * 4 + g) * H + h] = d[g];
        }
        o.dcell[i] = dc * forget;
        o.before[at] = t > 0 ? o.y[at - H] : 0;
    }
}

RecurrentShape shapeOf(const Lstm& l)
{
    return {l.batch, l.steps, l.inputs, l.width, 4};
}

Status check(const Lstm& l, DType type)
{
    MR_CHECK(
        requirePositive("lstm", {{"batch", l.batch}, {"steps", l.steps}, {"inputs", l.inputs}, {"width", l.width}}));
    return requireF32("lstm", type);
}

/// Scratch memory of the forward kernel.
struct Forward
{
    float *gates, *product, *hidden, *cell;
    std::byte* rest;
    std::uint64_t bytes;

    Forward(const Lstm& l, std::byte* memory)
    {
        Cutter cutter(memory);
        gates = cutter.take<float>(l.batch * l.steps * 4 * l.width);
        product = cutter.take<float>(l.batch * 4 * l.width);
        hidden = cutter.take<float>(l.batch * l.width);
        cell = cutter.take<float>(l.batch * l.width);
        rest = cutter.rest();
        bytes = cutter.bytes();
    }
};

/// Scratch memory of the backward kernel.
struct Backward
{
    float *dgates, *own, *before, *dhidden, *dcell;
    std::byte* rest;
    std::uint64_t bytes;

    Backward(const Lstm& l, std::byte* memory)
    {
        Cutter cutter(memory);
        dgates = cutter.take<float>(l.batch * l.steps * 4 * l.width);
        own = cutter.take<float>(l.batch * 4 * l.width);
        before = cutter.take<float>(l.batch * l.steps * l.width);
        dhidden = cutter.take<float>(l.batch * l.width);
        dcell = cutter.take<float>(l.batch * l.width);
        rest = cutter.rest();
        bytes = cutter.bytes();
    }
};

void forward(Context& context, const Lstm& l, GateProducts& products, const Arguments& a)
{
    const Forward scratch(l, a.scratch);
    const std::int64_t states = l.batch * l.width;
    copyState(context, scratch.hidden, a.input(5), states);
    copyState(context, scratch.cell, a.input(6), states);
    float* gates = a.output(2) ? a.output(2) : scratch.gates;
    products.runInput(a.input(0), a.input(1), gates, scratch.rest);
    for (std::int64_t t = 0; t < l.steps; ++t) {
        const bool isZero = t == 0 && !a.input(5);
        if (!isZero) products.runHidden(scratch.hidden, a.input(2), scratch.product, scratch.rest);
        const StepOperands operands{.gates = gates,
                                    .product = isZero ? nullptr : scratch.product,
                                    .biasInput = a.input(3),
                                    .biasHidden = a.input(4),
                                    .hidden = scratch.hidden,
                                    .cell = scratch.cell,
                                    .y = a.output(0),
                                    .cells = a.output(1)};
        launch(context, stepForward, blocksFor(states, kThreads), dim3(kThreads), 0, operands, l, t);
    }
    if (a.output(3)) copyState(context, a.output(3), scratch.hidden, states);
    if (a.output(4)) copyState(context, a.output(4), scratch.cell, states);
}

void backward(Context& context, const Lstm& l, GateGradients& gradients, const Arguments& a)
{
    const Backward scratch(l, a.scratch);
    const std::int64_t states = l.batch * l.width;
    copyState(context, scratch.dhidden, nullptr, states);
    copyState(context, scratch.dcell, nullptr, states);
    const StepBackwardOperands operands{.y = a.input(3),
                                        .cells = a.input(4),
                                        .gates = a.input(5),
                                        .dy = a.input(6),
                                        .dhidden = scratch.dhidden,
                                        .dcell = scratch.dcell,
                                        .dgates = scratch.dgates,
                                        .own = scratch.own,
                                        .before = scratch.before};
    for (std::int64_t t = l.steps - 1; t >= 0; --t) {
        launch(context, stepBackward, blocksFor(states, kThreads), dim3(kThreads), 0, operands, l, t);
        if (t > 0) gradients.runState(scratch.own, a.input(2), scratch.dhidden, scratch.rest);
    }
    gradients.runInput(scratch.dgates, a.input(0), a.input(1), a.output(0), a.output(1), a.output(3), scratch.rest);
    gradients.runHidden(scratch.dgates, scratch.before, a.output(2), a.output(4), scratch.rest);
}

} // namespace

KernelResult makeLstm(Context& context, const Lstm& l, DType type)
{
    MR_CHECK(check(l, type));
    MR_TRY(GateProducts products, GateProducts::create(context, shapeOf(l)));
    const std::uint64_t bytes = Forward(l, nullptr).bytes + products.scratchBytes();
    return makeKernel([&context, l, products = std::move(products)](
                          const Arguments& arguments) mutable { forward(context, l, products, arguments); },
                      bytes);
}

KernelResult makeLstmBackward(Context& context, const Lstm& l, DType type)
{
    MR_CHECK(check(l, type));
    MR_TRY(GateGradients gradients, GateGradients::create(context, shapeOf(l), false));
    const std::uint64_t bytes = Backward(l, nullptr).bytes + gradients.scratchBytes();
    return makeKernel([&context, l, gradients = std::move(gradients)](
                          const Arguments& arguments) mutable { backward(context, l, gradients, arguments); },
                      bytes);
}

} // namespace millrace::kernels::cuda
