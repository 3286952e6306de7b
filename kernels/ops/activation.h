// Contract of the element-wise non-linearities.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// Relu       y = max(x, 0)                                          dx = dy [y > 0]
/// GeluExact  y = x Phi(x), Phi the normal distribution              dx = dy (Phi(x) + x phi(x))
/// GeluTanh   y = x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))      dx by the chain rule
/// Tanh       y = tanh(x)                                            dx = dy (1 - y^2)
/// Sigmoid    y = 1 / (1 + exp(-x))                                  dx = dy y (1 - y)
/// LeakyRelu  y = x where x > 0, else p x                            dx = dy where y > 0, else p dy
/// Silu       y = x s(x), s the sigmoid                              dx = dy s(x) (1 + x (1 - s(x)))
/// Elu        y = x where x > 0, else p (exp(x) - 1)                 dx = dy where y > 0, else dy (y + p)
/// Softplus   y = log(1 + exp(x))                                    dx = dy (1 - exp(-y))
/// p is the parameter: LeakyRelu's slope, Elu's alpha; at least 0, so that y > 0 says that x > 0.
/// Source     Hendrycks, Gimpel 2016, arXiv:1606.08415 (GELU, SiLU); Maas, Hannun, Ng 2013, ICML (leaky ReLU); Clevert,
///            Unterthiner, Hochreiter 2015, arXiv:1511.07289 (ELU); Goodfellow et al. 2016, section 6.3 (the others).
///            PyTorch's softplus is x itself above 20, which is the same in f32.
enum class Nonlinearity
{
    Relu,
    GeluExact,
    GeluTanh,
    Tanh,
    Sigmoid,
    LeakyRelu,
    Silu,
    Elu,
    Softplus
};

/// Whether Backward's first input is the output y (so that x need not be kept) or the input x.
constexpr bool gradientFromOutput(Nonlinearity kind)
{
    return kind != Nonlinearity::GeluExact && kind != Nonlinearity::GeluTanh && kind != Nonlinearity::Silu;
}

/// y[i] = f(x[i])
/// Forward   x -> y
/// Backward  y, dy -> dx where gradientFromOutput(kind), else x, dy -> dx
/// Shapes    all (N).   Types f32.   Aliasing: y may be x where gradientFromOutput(kind); dx may be dy.
/// Cost      reads N, writes N elements forward; reads 2N, writes N backward. NaN stays NaN.
/// Errors    InvalidArgument unless p >= 0.
struct Activation
{
    Nonlinearity kind = Nonlinearity::Relu;
    std::int64_t elements = 0; ///< N
    double parameter = 0;      ///< p
};

} // namespace millrace::kernels
