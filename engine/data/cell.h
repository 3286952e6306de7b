// What the text of one cell stands for, whatever the user's locale is.
#pragma once

#include <optional>
#include <string_view>

namespace millrace::data {

/// A finite number that a 32-bit float can hold, written with a decimal point and no thousands separators.
std::optional<double> parseNumber(std::string_view cell);

/// Whether the cell stands for a missing value: empty, NA, N/A, nan, null, ? or -, in any case.
bool isMissing(std::string_view cell);

/// For text that is meant as a number but is none here: "a number with a comma", "a hexadecimal number", …; else empty.
std::string_view unreadNumber(std::string_view cell);

} // namespace millrace::data
