#include "engine/data/cell.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <limits>
#include <string>

namespace millrace::data {

namespace {
bool isDigit(char c)
{
    return c >= '0' && c <= '9';
}

std::string lower(std::string_view text)
{
    std::string result(text);
    for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return result;
}

/// Digits with commas, and nothing else but at most one point: "1,5", "1,234.5".
bool isCommaNumber(std::string_view text)
{
    const bool comma = text.find(',') != std::string_view::npos;
    const auto other = [](char c) { return !isDigit(c) && c != ',' && c != '.'; };
    return comma && isDigit(text.front()) && isDigit(text.back()) && std::none_of(text.begin(), text.end(), other);
}

bool isHexadecimal(std::string_view text)
{
    const auto digit = [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; };
    return text.size() > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X') &&
           std::all_of(text.begin() + 2, text.end(), digit);
}

bool isOutOfRange(std::string_view text)
{
    double value = 0;
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = end == text.data() + text.size();
    const bool finite = code == std::errc::result_out_of_range || (code == std::errc() && std::isfinite(value));
    return whole && finite && !parseNumber(text);
}
} // namespace

std::optional<double> parseNumber(std::string_view cell)
{
    const auto value = parseDouble(cell);
    if (!value || !(std::abs(*value) <= static_cast<double>(std::numeric_limits<float>::max()))) return std::nullopt;
    return value;
}

bool isMissing(std::string_view cell)
{
    if (cell.size() > 4) return false;
    constexpr std::array<std::string_view, 7> kMissing{"", "na", "n/a", "nan", "null", "?", "-"};
    return std::find(kMissing.begin(), kMissing.end(), lower(cell)) != kMissing.end();
}

std::string_view unreadNumber(std::string_view cell)
{
    if (cell.empty() || parseNumber(cell)) return {};
    if (cell.front() == '+' || cell.front() == '-') cell.remove_prefix(1);
    if (cell.empty()) return {};
    if (isCommaNumber(cell)) return "a number with a comma";
    if (isHexadecimal(cell)) return "a hexadecimal number";
    if (const std::string text = lower(cell); text == "inf" || text == "infinity") return "an infinity";
    if (isOutOfRange(cell)) return "a number outside the range of 32-bit floating point";
    return {};
}

} // namespace millrace::data
