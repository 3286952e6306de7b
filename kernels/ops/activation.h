// Contract of the element-wise non-linearities.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// Relu       y = max(x, 0)                                          dx = dy [y > 0]
/// GeluExact  y = x Phi(x), Phi the normal distribution              dx = dy (Phi(x) + x phi(x))
/// GeluTanh   y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))      dx by the chain rule
/// Tanh       y = tanh(x)                                            dx = dy (1 - y^2)
/// Sigmoid    y = 1 / (1 + exp(-x))                                  dx = dy y (1 - y)
/// Source     Hendrycks, Gimpel 2016, arXiv:1606.08415 (GELU); Goodfellow et al. 2016, section 6.3 (the others).
enum class Nonlinearity
{
    Relu,
    GeluExact,
    GeluTanh,
    Tanh,
    Sigmoid
};

/// Whether Backward's first input is the output y (so that x need not be kept) or the input x.
constexpr bool gradientFromOutput(Nonlinearity kind)
{
    return kind == Nonlinearity::Relu || kind == Nonlinearity::Tanh || kind == Nonlinearity::Sigmoid;
}

/// y[i] = f(x[i])
/// Forward   x -> y
/// Backward  y, dy -> dx where gradientFromOutput(kind), else x, dy -> dx
/// Shapes    all (N).   Types f32.   Aliasing: y may be x where gradientFromOutput(kind); dx may be dy.
/// Cost      reads N, writes N elements forward; reads 2N, writes N backward. NaN stays NaN.
struct Activation
{
    Nonlinearity kind = Nonlinearity::Relu;
    std::int64_t elements = 0; ///< N
};

} // namespace millrace::kernels
