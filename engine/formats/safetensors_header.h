// The JSON header of a safetensors file: read event by event, so that a hostile one costs no more than its own bytes.
#pragma once

#include "kernels/base/dtype.h"
#include "kernels/base/result.h"
#include "kernels/base/shape.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::formats {

struct SafetensorsHeader
{
    struct Entry
    {
        std::string name;
        DType type = DType::F32;
        Shape shape;
        std::uint64_t begin = 0, end = 0; ///< offsets behind the header
    };
    std::map<std::string, std::string> metadata;
    std::vector<Entry> entries; ///< by offset
};

inline constexpr std::uint64_t kMaximumHeaderBytes = 100'000'000;

/// The header of a file that holds `dataBytes` behind it. Every rule of the format is checked; see the README.
Result<SafetensorsHeader> parseSafetensorsHeader(std::string_view json, std::uint64_t dataBytes);

/// "F32" and back; nothing for a type that this build does not hold.
std::string_view safetensorsName(DType type);
std::optional<DType> dtypeFromSafetensors(std::string_view name);

} // namespace millrace::formats
