// Products of bfloat16 pairs: the same small products as product_block.h, each 32-bit element two neighbours of the
// inner dimension, multiplied and added to an f32 sum by one instruction.
#pragma once

#include "kernels/cpu/product_block.h"

namespace millrace::kernels::cpu {

/// The nearest bfloat16, ties to even, as a float. NaN stays NaN.
inline float roundedToBf16(float value)
{
    const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return value;
    return __builtin_bit_cast(float, (bits + 0x7FFFU + (bits >> 16 & 1U)) & 0xFFFF0000U);
}

/// The code for a machine that multiplies bfloat16.
struct Bf16Code
{
    const BlockCode* blocks; ///< on pairs: m, n and rows as ever, k and the elements of a and b are pairs
    /// to (rows, pairs) = each row of from (rows,k) in pairs; an odd k is filled up with a zero.
    void (*pairRows)(const float* from, std::int64_t fromRow, std::int64_t rows, std::int64_t k, float* to,
                     std::int64_t toRow);
    /// to (pairs, columns) = neighbouring rows of from (k,columns) in pairs.
    void (*pairColumns)(const float* from, std::int64_t fromRow, std::int64_t k, std::int64_t columns, float* to,
                        std::int64_t toRow);
};

extern const Bf16Code kAvx512Bf16;

/// Null where the machine has no such instruction.
const Bf16Code* bf16Code();

} // namespace millrace::kernels::cpu
