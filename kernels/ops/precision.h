// How a product takes its factors.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// Bf16: both factors of every product are rounded to bfloat16 (8 bits of mantissa, to the nearest, ties to even), the
/// sums are f32. Tensors in memory are f32 either way.
enum class Precision : std::uint8_t
{
    F32,
    Bf16
};

} // namespace millrace::kernels
