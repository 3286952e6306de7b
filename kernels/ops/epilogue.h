// What an operation does with each of its results before it is written, so that nobody reads and writes them again.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// f in y = f(z), with z what the operation would give without it:
/// None       y = z
/// Relu       y = max(z, 0);                 f' follows from y:  [y > 0]
/// GeluTanh   y = GELU of z (activation.h);  f' follows from z
enum class Epilogue : std::uint8_t
{
    None,
    Relu,
    GeluTanh
};

} // namespace millrace::kernels
