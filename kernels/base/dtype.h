// The element types of tensors.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace {

enum class DType : std::uint8_t { F32, F64, BF16, F16, I32, I64, U8 };

/// Size of one element in bytes.
constexpr std::size_t sizeBytes(DType type)
{
    switch (type) {
    case DType::F64:
    case DType::I64: return 8;
    case DType::F32:
    case DType::I32: return 4;
    case DType::BF16:
    case DType::F16: return 2;
    case DType::U8: return 1;
    }
    return 0;
}

/// "f32", "bf16", …
constexpr std::string_view name(DType type)
{
    switch (type) {
    case DType::F32: return "f32";
    case DType::F64: return "f64";
    case DType::BF16: return "bf16";
    case DType::F16: return "f16";
    case DType::I32: return "i32";
    case DType::I64: return "i64";
    case DType::U8: return "u8";
    }
    return "?";
}

} // namespace millrace
