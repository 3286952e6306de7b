// The element-wise non-linearities. One kernel for each direction holds all kinds: its threads all take the same way
// through the switch, which costs nothing beside reading the elements.
// Whatever a kind computes stays NaN for NaN, and what of it overflows does so towards the right limit.
#include "kernels/cuda/elementwise.h"
#include "kernels/cuda/gelu.h"
#include "kernels/cuda/kernel.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

namespace {

constexpr int kBlocks = 6; // of a multiprocessor: where ptxas is left to choose, it spills

constexpr float kRootHalf = 0.707106781F;
constexpr float kBell = 0.398942280F; // 1 / sqrt(2 pi)

__device__ float logistic(float x)
{
    return 1.0F / (1.0F + expf(-x));
}

/// Phi(x) by the complement, which keeps its digits where Phi is small.
__device__ float normalDistribution(float x)
{
    return 0.5F * erfcf(-x * kRootHalf);
}

__device__ float siluSlope(float x)
{
    const float s = logistic(x);
    return s * (1.0F + x * (1.0F - s));
}

// kernels

/// y[i] = f(x[i])
template <class T>
__global__ void __launch_bounds__(kElementThreads, kBlocks)
    activation(Nonlinearity kind, float p, const T* x, T* y, std::int64_t n)
{
    switch (kind) {
    case Nonlinearity::Relu:
        return mapElements(x, y, n, [](float v) { return v < 0 ? 0.0F : v; }); // this way round NaN stays
    case Nonlinearity::GeluExact:
        return mapElements(x, y, n, [](float v) { return v * normalDistribution(v); });
    case Nonlinearity::GeluTanh:
        return mapElements(x, y, n, [](float v) { return geluTanh(v); });
    case Nonlinearity::Tanh:
        return mapElements(x, y, n, [](float v) { return tanhf(v); });
    case Nonlinearity::Sigmoid:
        return mapElements(x, y, n, [](float v) { return logistic(v); });
    case Nonlinearity::LeakyRelu:
        return mapElements(x, y, n, [p](float v) { return v > 0 ? v : p * v; });
    case Nonlinearity::Silu:
        return mapElements(x, y, n, [](float v) { return v * logistic(v); });
    case Nonlinearity::Elu:
        return mapElements(x, y, n, [p](float v) { return v > 0 ? v : p * expm1f(v); });
    case Nonlinearity::Softplus:
        return mapElements(x, y, n, [](float v) { return (v < 0 ? 0.0F : v) + log1pf(expf(v < 0 ? v : -v)); });
    }
}

/// dx[i] = dy[i] f'; v is y where gradientFromOutput(kind), else x.
template <class T>
__global__ void __launch_bounds__(kElementThreads, kBlocks)
    activationBackward(Nonlinearity kind, float p, const T* v, const T* dy, T* dx, std::int64_t n)
{
    switch (kind) {
    case Nonlinearity::Relu:
        return mapElements(v, dy, dx, n, [](float y, float d) { return y > 0 ? d : 0.0F; });
    case Nonlinearity::GeluExact:
        return mapElements(v, dy, dx, n, [](float x, float d) {
            return d * (normalDistribution(x) + x * kBell * expf(-0.5F * x * x));
        });
    case Nonlinearity::GeluTanh:
        return mapElements(v, dy, dx, n, [](float x, float d) { return d * geluTanhSlope(x); });
    case Nonlinearity::Tanh:
        return mapElements(v, dy, dx, n, [](float y, float d) { return d * (1.0F - y * y); });
    case Nonlinearity::Sigmoid:
        return mapElements(v, dy, dx, n, [](float y, float d) { return d * y * (1.0F - y); });
    case Nonlinearity::LeakyRelu:
        return mapElements(v, dy, dx, n, [p](float y, float d) { return y > 0 ? d : p * d; });
    case Nonlinearity::Silu:
        return mapElements(v, dy, dx, n, [](float x, float d) { return d * siluSlope(x); });
    case Nonlinearity::Elu:
        return mapElements(v, dy, dx, n, [p](float y, float d) { return y > 0 ? d : d * (y + p); });
    case Nonlinearity::Softplus:
        return mapElements(v, dy, dx, n, [](float y, float d) { return -d * expm1f(-y); });
    }
}

Status check(const Activation& activation)
{
    MR_CHECK(requirePositive("activation", {{"elements", activation.elements}}));
    if (activation.parameter >= 0) return {};
    return makeError(Code::InvalidArgument,
                     str("activation: the parameter is ", activation.parameter, ", expected at least 0."));
}

} // namespace

// launchers

KernelResult makeActivation(Context& context, const Activation& dimensions, DType type)
{
    MR_CHECK(check(dimensions));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return makeKernel([&context, dimensions](const Arguments& arguments) {
            launch(context, activation<T>, elementBlocks<T>(dimensions.elements), kElementThreads, 0, dimensions.kind,
                   static_cast<float>(dimensions.parameter), static_cast<const T*>(arguments.inputs[0]),
                   static_cast<T*>(arguments.outputs[0]), dimensions.elements);
        });
    });
}

KernelResult makeActivationBackward(Context& context, const Activation& dimensions, DType type)
{
    MR_CHECK(check(dimensions));
    return byType(type, [&](auto element) {
        using T = decltype(element);
        return makeKernel([&context, dimensions](const Arguments& arguments) {
            launch(context, activationBackward<T>, elementBlocks<T>(dimensions.elements), kElementThreads, 0,
                   dimensions.kind, static_cast<float>(dimensions.parameter),
                   static_cast<const T*>(arguments.inputs[0]), static_cast<const T*>(arguments.inputs[1]),
                   static_cast<T*>(arguments.outputs[0]), dimensions.elements);
        });
    });
}

} // namespace millrace::kernels::cuda
