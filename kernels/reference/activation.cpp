// The element-wise non-linearities in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace millrace::kernels::reference {

namespace {

double distribution(double x)
{
    return 0.5 * std::erfc(-x / std::numbers::sqrt2);
}
double density(double x)
{
    return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi);
}
double geluInner(double x)
{
    return std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x);
}

double valueAt(Nonlinearity kind, double parameter, double x)
{
    switch (kind) {
    case Nonlinearity::Relu:
        return x < 0 ? 0 : x;
    case Nonlinearity::GeluExact:
        return x * distribution(x);
    case Nonlinearity::GeluTanh:
        return 0.5 * x * (1 + std::tanh(geluInner(x)));
    case Nonlinearity::Tanh:
        return std::tanh(x);
    case Nonlinearity::Sigmoid:
        return 1 / (1 + std::exp(-x));
    case Nonlinearity::LeakyRelu:
        return x > 0 ? x : parameter * x;
    case Nonlinearity::Silu:
        return x / (1 + std::exp(-x));
    case Nonlinearity::Elu:
        return x > 0 ? x : parameter * std::expm1(x);
    case Nonlinearity::Softplus:
        return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
    }
    return 0;
}

/// f' at v, which is y where gradientFromOutput(kind), else x.
double slopeAt(Nonlinearity kind, double parameter, double v)
{
    switch (kind) {
    case Nonlinearity::Relu:
        return v > 0 ? 1 : 0;
    case Nonlinearity::GeluExact:
        return distribution(v) + v * density(v);
    case Nonlinearity::GeluTanh: {
        const double t = std::tanh(geluInner(v));
        const double inner = std::sqrt(2 / std::numbers::pi) * (1 + 3 * 0.044715 * v * v);
        return 0.5 * (1 + t) + 0.5 * v * (1 - t * t) * inner;
    }
    case Nonlinearity::Tanh:
        return 1 - v * v;
    case Nonlinearity::Sigmoid:
        return v * (1 - v);
    case Nonlinearity::LeakyRelu:
        return v > 0 ? 1 : parameter;
    case Nonlinearity::Silu: {
        const double sigmoid = 1 / (1 + std::exp(-v));
        return sigmoid * (1 + v * (1 - sigmoid));
    }
    case Nonlinearity::Elu:
        return v > 0 ? 1 : v + parameter;
    case Nonlinearity::Softplus:
        return -std::expm1(-v);
    }
    return 0;
}

} // namespace

void activation(const Activation& activation, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < outputs[0].size(); ++i)
        outputs[0][i] = valueAt(activation.kind, activation.parameter, inputs[0][i]);
}

void activationBackward(const Activation& activation, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < outputs[0].size(); ++i)
        outputs[0][i] = inputs[1][i] * slopeAt(activation.kind, activation.parameter, inputs[0][i]);
}

} // namespace millrace::kernels::reference
