// Elements of any type that the libraries compute with, as doubles.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/half.h"

#include <cstdint>
#include <cstring>

namespace millrace::kernels::cuda::simulated {

inline double loadElement(DType type, const void* memory, std::int64_t index)
{
    const auto* at = static_cast<const std::byte*>(memory) + index * static_cast<std::int64_t>(sizeBytes(type));
    const auto get = [at](auto value) {
        std::memcpy(&value, at, sizeof value);
        return value;
    };
    switch (type) {
    case DType::BF16:
        return static_cast<double>(fromBf16(get(std::uint16_t{})));
    case DType::F16:
        return static_cast<double>(fromF16(get(std::uint16_t{})));
    case DType::I32:
        return get(std::int32_t{});
    case DType::I64:
        return static_cast<double>(get(std::int64_t{}));
    case DType::F64:
        return get(double{});
    case DType::U8:
        return get(std::uint8_t{});
    default:
        return static_cast<double>(get(float{}));
    }
}

inline void storeElement(DType type, void* memory, std::int64_t index, double value)
{
    auto* at = static_cast<std::byte*>(memory) + index * static_cast<std::int64_t>(sizeBytes(type));
    const auto put = [at](auto bits) { std::memcpy(at, &bits, sizeof bits); };
    switch (type) {
    case DType::BF16:
        return put(toBf16(static_cast<float>(value)));
    case DType::F16:
        return put(toF16(static_cast<float>(value)));
    case DType::I32:
        return put(static_cast<std::int32_t>(value));
    case DType::I64:
        return put(static_cast<std::int64_t>(value));
    case DType::F64:
        return put(value);
    case DType::U8:
        return put(static_cast<std::uint8_t>(value));
    default:
        return put(static_cast<float>(value));
    }
}

} // namespace millrace::kernels::cuda::simulated
