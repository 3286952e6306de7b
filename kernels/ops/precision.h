// How a product takes its factors.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// Bf16: both factors of every product are rounded to bfloat16 (8 bits of mantissa, to the nearest, ties to even), the
/// sums are f32. Tf32: a device may round them to TF32 (11 bits); one that has no such products takes them as they are.
/// Tensors in memory are f32 either way. Of no meaning where the tensors themselves are bf16 or f16.
enum class Precision : std::uint8_t
{
    F32,
    Bf16,
    Tf32
};

} // namespace millrace::kernels
