// GRU on a GPU: the inputs' part of the gates is one product over all steps; then, step by step, a product with the
// hidden state and a kernel for the elements. The state of a step lies in scratch memory, (B,H) without gaps, so that
// every step's product has the same operands. Backward the other way round, and at the end one product over all steps
// for each of the weights.
#include "kernels/ops/gru.h"

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
    float* gates;         ///< (B,T,3H): the inputs' part comes in, the gates go out
    const float* product; ///< (B,3H), the hidden state's part; null where that state is zero
    const float *biasInput, *biasHidden;
    float* hidden;          ///< (B,H), of the step before and then of this one
    float *y, *productKept; ///< (B,T,H); may be null
};

__global__ void stepForward(StepOperands o, Gru l, std::int64_t t)
{
    const std::int64_t H = l.width;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < l.batch * H;
         i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        const std::int64_t b = i / H, h = i % H, row = b * l.steps + t;
        float* gates = o.gates + row * 3 * H + h;
        float x[3], p[3];
        for (int g = 0; g < 3; ++g) {
            x[g] = gates[g * H] + o.biasInput[g * H + h];
            p[g] = o.biasHidden[g * H + h];
            if (o.product) p[g] += o.product[(b * 3 + g) * H + h];
        }
        const float reset = sigmoid(x[0] + p[0]), update = sigmoid(x[1] + p[1]), fresh = tanhf(x[2] + reset * p[2]);
        const float hidden = (1.0F - update) * fresh + update * o.hidden[i];
        gates[0] = reset;
        gates[H] = update;
        gates[2 * H] = fresh;
        o.hidden[i] = hidden;
        if (o.y) o.y[row * H + h] = hidden;
        if (o.productKept) o.productKept[row * H + h] = p[2];
    }
}

struct StepBackwardOperands
{
    const float *y, *gates, *product, *dy;
    float* dhidden;      ///< (B,H): what later steps give, then what goes on beside the product
    float *da, *dp;      ///< (B,T,3H): of the inputs' part and of the hidden state's part
    float *own, *before; ///< dp of this step (B,3H); the hidden state before each step (B,T,H)
};

__global__ void stepBackward(StepBackwardOperands o, Gru l, std::int64_t t)
{
    const std::int64_t H = l.width;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; i < l.batch * H;
         i += static_cast<std::int64_t>(gridDim.x) * kThreads) {
        const std::int64_t b = i / H, h = i % H, row = b * l.steps + t, at = row * H + h;
        const float* gates = o.gates + row * 3 * H + h;
        const float reset = gates[0], update = gates[H], fresh = gates[2 * H], before = t > 0 ? o.y[at - H] : 0;
        const float dh = o.dy[at] + o.dhidden[i], dfresh = dh * (1.0F - update) * (1.0F - fresh * fresh);
        const float d[3] = {dfresh * o.product[at] * reset * (1.0F - reset),
                            dh * (before - fresh) * update * (1.0F - update), dfresh};
        for (int g = 0; g < 3; ++g) {
            const float hiddenPart = g == 2 ? d[g] * reset : d[g];
            o.da[(row * 3 + g) * H + h] = d[g];
            o.dp[(row * 3 + g) * H + h] = hiddenPart;
            o.own[(b * 3 + g) * H + h] = hiddenPart;
        }
        o.dhidden[i] = dh * update;
        o.before[at] = before;
    }
}

RecurrentShape shapeOf(const Gru& l)
{
    return {l.batch, l.steps, l.inputs, l.width, 3};
}

Status check(const Gru& l, DType type)
{
    MR_CHECK(
        requirePositive("gru", {{"batch", l.batch}, {"steps", l.steps}, {"inputs", l.inputs}, {"width", l.width}}));
    return requireF32("gru", type);
}

/// Scratch memory of the forward kernel.
struct Forward
{
    float *gates, *product, *hidden;
    std::byte* rest;
    std::uint64_t bytes;

    Forward(const Gru& l, std::byte* memory)
    {
        Cutter cutter(memory);
        gates = cutter.take<float>(l.batch * l.steps * 3 * l.width);
        product = cutter.take<float>(l.batch * 3 * l.width);
        hidden = cutter.take<float>(l.batch * l.width);
        rest = cutter.rest();
        bytes = cutter.bytes();
    }
};

/// Scratch memory of the backward kernel.
struct Backward
{
    float *da, *dp, *own, *before, *dhidden;
    std::byte* rest;
    std::uint64_t bytes;

    Backward(const Gru& l, std::byte* memory)
    {
        Cutter cutter(memory);
        da = cutter.take<float>(l.batch * l.steps * 3 * l.width);
        dp = cutter.take<float>(l.batch * l.steps * 3 * l.width);
        own = cutter.take<float>(l.batch * 3 * l.width);
        before = cutter.take<float>(l.batch * l.steps * l.width);
        dhidden = cutter.take<float>(l.batch * l.width);
        rest = cutter.rest();
        bytes = cutter.bytes();
    }
};

void forward(Context& context, const Gru& l, GateProducts& products, const Arguments& a)
{
    const Forward scratch(l, a.scratch);
    const std::int64_t states = l.batch * l.width;
    copyState(context, scratch.hidden, a.input(5), states);
    float* gates = a.output(1) ? a.output(1) : scratch.gates;
    products.runInput(a.input(0), a.input(1), gates, scratch.rest);
    for (std::int64_t t = 0; t < l.steps; ++t) {
        const bool isZero = t == 0 && !a.input(5);
        if (!isZero) products.runHidden(scratch.hidden, a.input(2), scratch.product, scratch.rest);
        const StepOperands operands{.gates = gates,
                                    .product = isZero ? nullptr : scratch.product,
                                    .biasInput = a.input(3),
                                    .biasHidden = a.input(4),
                                    .hidden = scratch.hidden,
                                    .y = a.output(0),
                                    .productKept = a.output(2)};
        launch(context, stepForward, blocksFor(states, kThreads), dim3(kThreads), 0, operands, l, t);
    }
    if (a.output(3)) copyState(context, a.output(3), scratch.hidden, states);
}

void backward(Context& context, const Gru& l, GateGradients& gradients, const Arguments& a)
{
    const Backward scratch(l, a.scratch);
    const std::int64_t states = l.batch * l.width;
    copyState(context, scratch.dhidden, nullptr, states);
    const StepBackwardOperands operands{.y = a.input(3),
                                        .gates = a.input(4),
                                        .product = a.input(5),
                                        .dy = a.input(6),
                                        .dhidden = scratch.dhidden,
                                        .da = scratch.da,
                                        .dp = scratch.dp,
                                        .own = scratch.own,
                                        .before = scratch.before};
    for (std::int64_t t = l.steps - 1; t >= 0; --t) {
        launch(context, stepBackward, blocksFor(states, kThreads), dim3(kThreads), 0, operands, l, t);
        if (t > 0) gradients.runState(scratch.own, a.input(2), scratch.dhidden, scratch.rest);
    }
    gradients.runInput(scratch.da, a.input(0), a.input(1), a.output(0), a.output(1), a.output(3), scratch.rest);
    gradients.runHidden(scratch.dp, scratch.before, a.output(2), a.output(4), scratch.rest);
}

} // namespace

KernelResult makeGru(Context& context, const Gru& l, DType type)
{
    MR_CHECK(check(l, type));
    MR_TRY(GateProducts products, GateProducts::create(context, shapeOf(l)));
    const std::uint64_t bytes = Forward(l, nullptr).bytes + products.scratchBytes();
    return makeKernel([&context, l, products = std::move(products)](
                          const Arguments& arguments) mutable { forward(context, l, products, arguments); },
                      bytes);
}

KernelResult makeGruBackward(Context& context, const Gru& l, DType type)
{
    MR_CHECK(check(l, type));
    MR_TRY(GateGradients gradients, GateGradients::create(context, shapeOf(l), true));
    const std::uint64_t bytes = Backward(l, nullptr).bytes + gradients.scratchBytes();
    return makeKernel([&context, l, gradients = std::move(gradients)](
                          const Arguments& arguments) mutable { backward(context, l, gradients, arguments); },
                      bytes);
}

} // namespace millrace::kernels::cuda
