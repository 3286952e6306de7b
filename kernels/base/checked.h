// Arithmetic on sizes that come from outside: an overflow is an answer, never a wrap.
#pragma once

#include <cstdint>
#include <optional>

namespace millrace {

/// a × b, or nothing where it does not fit.
inline std::optional<std::int64_t> checkedMultiply(std::int64_t a, std::int64_t b)
{
    std::int64_t result = 0;
    if (__builtin_mul_overflow(a, b, &result)) return std::nullopt;
    return result;
}

/// a + b, or nothing where it does not fit.
inline std::optional<std::int64_t> checkedAdd(std::int64_t a, std::int64_t b)
{
    std::int64_t result = 0;
    if (__builtin_add_overflow(a, b, &result)) return std::nullopt;
    return result;
}

} // namespace millrace
