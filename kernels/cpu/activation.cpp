// The element-wise non-linearities: one vector loop each, forward and backward.
#include "kernels/ops/activation.h"

#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

namespace millrace::kernels::cpu {

namespace {

// what an element takes, roughly, for parallelFor
constexpr double kComputed = 0.8, kStreamed = 0.08; // exponentials and divisions; loads and stores alone

constexpr float kGeluScale = 0.797884561F; // sqrt(2 / pi)
constexpr float kGeluCube = 0.044715F;

// forward: y[i] = f(x[i])

MR_VECTORISED void relu(const float* x, float* y, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] < 0 ? 0.0F : x[i]; // this way round NaN stays
}

MR_VECTORISED void geluExact(const float* x, float* y, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] * normal(x[i]).distribution;
}

MR_VECTORISED void geluTanh(const float* x, float* y, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const float inner = kGeluScale * (x[i] + kGeluCube * x[i] * x[i] * x[i]);
        y[i] = 0.5F * x[i] * (1.0F + hyperbolicTangent(inner));
    }
}

MR_VECTORISED void tanh(const float* x, float* y, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) y[i] = hyperbolicTangent(x[i]);
}

MR_VECTORISED void sigmoid(const float* x, float* y, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) y[i] = logistic(x[i]);
}

MR_VECTORISED void leakyRelu(const float* x, float* y, float slope, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] > 0 ? x[i] : slope * x[i];
}

MR_VECTORISED void silu(const float* x, float* y, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] * logistic(x[i]);
}

MR_VECTORISED void elu(const float* x, float* y, float alpha, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) y[i] = x[i] > 0 ? x[i] : alpha * exponentialMinusOne(x[i]);
}

MR_VECTORISED void softplus(const float* x, float* y, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const float positive = x[i] < 0 ? 0.0F : x[i];
        y[i] = positive + logOnePlus(exponential(x[i] < 0 ? x[i] : -x[i]));
    }
}

// backward: dx[i] = dy[i] f'; v is y where gradientFromOutput, else x

MR_VECTORISED void reluBackward(const float* v, const float* dy, float* dx, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const float gradient = dy[i]; // read in any case: a choice, not a branch
        dx[i] = v[i] > 0 ? gradient : 0.0F;
    }
}

MR_VECTORISED void geluExactBackward(const float* v, const float* dy, float* dx, float, std::int64_t begin,
                                     std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const Normal n = normal(v[i]);
        dx[i] = dy[i] * (n.distribution + v[i] * n.density);
    }
}

MR_VECTORISED void geluTanhBackward(const float* v, const float* dy, float* dx, float, std::int64_t begin,
                                    std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const float square = v[i] * v[i];
        const float t = hyperbolicTangent(kGeluScale * (v[i] + kGeluCube * square * v[i]));
        const float slope = kGeluScale * (1.0F + 3.0F * kGeluCube * square);
        dx[i] = dy[i] * (0.5F * (1.0F + t) + 0.5F * v[i] * (1.0F - t * t) * slope);
    }
}

MR_VECTORISED void tanhBackward(const float* v, const float* dy, float* dx, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) dx[i] = dy[i] * (1.0F - v[i] * v[i]);
}

MR_VECTORISED void sigmoidBackward(const float* v, const float* dy, float* dx, float, std::int64_t begin,
                                   std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) dx[i] = dy[i] * v[i] * (1.0F - v[i]);
}

MR_VECTORISED void leakyReluBackward(const float* v, const float* dy, float* dx, float slope, std::int64_t begin,
                                     std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const float gradient = dy[i];
        dx[i] = v[i] > 0 ? gradient : slope * gradient;
    }
}

MR_VECTORISED void siluBackward(const float* v, const float* dy, float* dx, float, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const float s = logistic(v[i]);
        dx[i] = dy[i] * s * (1.0F + v[i] * (1.0F - s));
    }
}

MR_VECTORISED void eluBackward(const float* v, const float* dy, float* dx, float alpha, std::int64_t begin,
                               std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) {
        const float gradient = dy[i];
        dx[i] = v[i] > 0 ? gradient : gradient * (v[i] + alpha);
    }
}

MR_VECTORISED void softplusBackward(const float* v, const float* dy, float* dx, float, std::int64_t begin,
                                    std::int64_t end)
{
    for (std::int64_t i = begin; i < end; ++i) dx[i] = -dy[i] * exponentialMinusOne(-v[i]);
}

struct Loops
{
    void (*forward)(const float*, float*, float parameter, std::int64_t, std::int64_t);
    double forwardNanoseconds;
    void (*backward)(const float*, const float*, float*, float parameter, std::int64_t, std::int64_t);
    double backwardNanoseconds;
};

Loops loopsOf(Nonlinearity kind)
{
    switch (kind) {
    case Nonlinearity::Relu:
        return {relu, kStreamed, reluBackward, kStreamed};
    case Nonlinearity::GeluExact:
        return {geluExact, kComputed, geluExactBackward, kComputed};
    case Nonlinearity::GeluTanh:
        return {geluTanh, kComputed, geluTanhBackward, kComputed};
    case Nonlinearity::Tanh:
        return {tanh, kComputed, tanhBackward, kStreamed};
    case Nonlinearity::Sigmoid:
        return {sigmoid, kComputed, sigmoidBackward, kStreamed};
    case Nonlinearity::LeakyRelu:
        return {leakyRelu, kStreamed, leakyReluBackward, kStreamed};
    case Nonlinearity::Silu:
        return {silu, kComputed, siluBackward, kComputed};
    case Nonlinearity::Elu:
        return {elu, kComputed, eluBackward, kStreamed};
    case Nonlinearity::Softplus:
        return {softplus, kComputed, softplusBackward, kComputed};
    }
    return {};
}

Status check(const Activation& activation)
{
    MR_CHECK(requirePositive("activation", {{"elements", activation.elements}}));
    if (activation.parameter >= 0) return {};
    return makeError(Code::InvalidArgument,
                     str("activation: the parameter is ", activation.parameter, ", expected at least 0."));
}

} // namespace

KernelResult makeActivation(const Activation& activation, int threads)
{
    MR_CHECK(check(activation));
    return makeKernel([count = activation.elements, parameter = static_cast<float>(activation.parameter),
                       loops = loopsOf(activation.kind), threads](const Arguments& arguments) {
        parallelFor(threads, count, loops.forwardNanoseconds, [&](std::int64_t begin, std::int64_t end) {
            loops.forward(arguments.input(0), arguments.output(0), parameter, begin, end);
        });
    });
}

KernelResult makeActivationBackward(const Activation& activation, int threads)
{
    MR_CHECK(check(activation));
    return makeKernel([count = activation.elements, parameter = static_cast<float>(activation.parameter),
                       loops = loopsOf(activation.kind), threads](const Arguments& arguments) {
        parallelFor(threads, count, loops.backwardNanoseconds, [&](std::int64_t begin, std::int64_t end) {
            loops.backward(arguments.input(0), arguments.input(1), arguments.output(0), parameter, begin, end);
        });
    });
}

} // namespace millrace::kernels::cpu
