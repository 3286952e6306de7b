// Text: concatenation, numbers that ignore the locale, and the nearest known name to a misspelt one.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

namespace detail {
inline void append(std::string& out, std::string_view piece) { out += piece; }
void appendNumber(std::string& out, double value);
inline void append(std::string& out, std::same_as<char> auto piece) { out += piece; }
inline void append(std::string& out, std::same_as<bool> auto piece) { out += piece ? "true" : "false"; }
template <std::integral T>
    requires(!std::same_as<T, char> && !std::same_as<T, bool>)
void append(std::string& out, T value)
{
    char buffer[24];
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;
    out.append(buffer, end);
}
template <std::floating_point T> void append(std::string& out, T value)
{
    appendNumber(out, static_cast<double>(value));
}
} // namespace detail

/// The pieces, one after the other; numbers in the shortest form that reads back the same, in the C locale.
template <class... Pieces> std::string str(const Pieces&... pieces)
{
    std::string out;
    (detail::append(out, pieces), ...);
    return out;
}

/// The value with so many significant digits, in the C locale: significant(0.98765, 3) is "0.988".
std::string significant(double value, int digits);
/// The value with so many decimals, in the C locale.
std::string fixed(double value, int decimals);

/// The whole text as a number in the C locale (no spaces, no thousands separators); nothing where it is not one.
std::optional<double> parseDouble(std::string_view text);
std::optional<long long> parseInteger(std::string_view text);

std::string_view trimmed(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string joined(const std::vector<std::string>& pieces, std::string_view separator);

/// The candidates nearest to the name by edit distance (at most 3, none farther than half the longer name), nearest first.
std::vector<std::string> nearestNames(std::string_view name, const std::vector<std::string>& candidates);
/// "Did you mean adam or adamw?", or an empty text where nothing is near.
std::string didYouMean(std::string_view name, const std::vector<std::string>& candidates);

/// Whether the bytes are well-formed UTF-8.
bool isUtf8(std::string_view bytes);
/// The text with control and bidirectional-override characters written as visible escapes, for showing untrusted text.
std::string printable(std::string_view text);

} // namespace millrace
