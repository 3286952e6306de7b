// The 16-bit floating-point numbers, as their bits: bfloat16 and IEEE 754 binary16, to and from float.
#pragma once

#include <bit>
#include <cstdint>

namespace millrace {

/// The nearest bfloat16, ties to even; NaN stays NaN.
constexpr std::uint16_t toBf16(float value)
{
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7FFF'FFFFU) > 0x7F80'0000U) return static_cast<std::uint16_t>(bits >> 16 | 0x40U);
    return static_cast<std::uint16_t>((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

constexpr float fromBf16(std::uint16_t bits)
{
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

/// The nearest binary16, ties to even; infinite beyond its range, NaN stays NaN.
constexpr std::uint16_t toF16(float value)
{
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>(bits >> 16 & 0x8000U);
    const std::uint32_t size = bits & 0x7FFF'FFFFU;
    const auto signedBits = [sign](std::uint32_t magnitude) { return static_cast<std::uint16_t>(sign | magnitude); };
    if (size > 0x7F80'0000U) return signedBits(0x7E00U);
    if (size >= 0x4780'0000U) return signedBits(0x7C00U); // 2^16 and above
    if (size < 0x3880'0000U) {
        // below 2^-14 the last digit is worth 2^-24, as that of 0.5 as a float is: the sum is rounded to it
        const float sum = std::bit_cast<float>(size) + 0.5F;
        return signedBits(std::bit_cast<std::uint32_t>(sum) - 0x3F00'0000U);
    }
    // the exponent's bias goes from 127 to 15; a carry out of the digits goes on into the exponent, up to infinity
    return signedBits((size - 0x3800'0000U + 0xFFFU + (size >> 13 & 1U)) >> 13);
}

constexpr float fromF16(std::uint16_t bits)
{
    const std::uint32_t sign = (bits & 0x8000U) * 0x1'0000U, size = bits & 0x7FFFU;
    if (size >= 0x7C00U) return std::bit_cast<float>(sign | 0x7F80'0000U | (size & 0x3FFU) << 13);
    if (size >= 0x400U) return std::bit_cast<float>(sign | ((size << 13) + 0x3800'0000U));
    const float small = static_cast<float>(size) * 0x1p-24F;
    return sign != 0 ? -small : small;
}

} // namespace millrace
