#include "engine/data/text_unicode.h"

#include "engine/data/text_unicode_tables.h"

#include <algorithm>
#include <array>

namespace millrace::data {

namespace {
/// How many bytes a character has that begins so; 0: none begins so.
std::size_t lengthOf(unsigned char first)
{
    if (first < 0x80) return 1;
    if (first < 0xC2) return 0;
    if (first < 0xE0) return 2;
    if (first < 0xF0) return 3;
    return first < 0xF5 ? 4 : 0;
}

/// Whether the second byte can follow the first: no overlong forms, no surrogates, nothing over U+10FFFF.
bool mayFollow(unsigned char first, unsigned char second)
{
    if (first == 0xE0) return second >= 0xA0 && second < 0xC0;
    if (first == 0xED) return second >= 0x80 && second < 0xA0;
    if (first == 0xF0) return second >= 0x90 && second < 0xC0;
    if (first == 0xF4) return second >= 0x80 && second < 0x90;
    return second >= 0x80 && second < 0xC0;
}

/// Whether the point lies behind an odd number of boundaries.
template <std::size_t N> bool inside(const std::array<char32_t, N>& boundaries, char32_t point)
{
    const auto after = std::upper_bound(boundaries.begin(), boundaries.end(), point);
    return (after - boundaries.begin()) % 2 == 1;
}
} // namespace

Character firstCharacter(std::string_view text, bool last)
{
    constexpr std::array<unsigned, 5> kFirstBits{0, 0x7F, 0x1F, 0x0F, 0x07};
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const Character invalid{kReplacement, 1, false};
    const std::size_t length = lengthOf(byte(0));
    if (length == 0) return invalid;
    char32_t point = byte(0) & kFirstBits[length];
    for (std::size_t i = 1; i < length; ++i) {
        if (i == text.size()) return last ? invalid : Character{};
        if (i == 1 ? !mayFollow(byte(0), byte(1)) : (byte(i) & 0xC0) != 0x80) return invalid;
        point = point << 6 | (byte(i) & 0x3F);
    }
    return {point, length, true};
}

void appendUtf8(std::string& out, char32_t point)
{
    const auto continuation = [&](unsigned shift) { out += static_cast<char>(0x80 | (point >> shift & 0x3F)); };
    if (point < 0x80) {
        out += static_cast<char>(point);
    } else if (point < 0x800) {
        out += static_cast<char>(0xC0 | point >> 6);
        continuation(0);
    } else if (point < 0x10000) {
        out += static_cast<char>(0xE0 | point >> 12);
        continuation(6);
        continuation(0);
    } else {
        out += static_cast<char>(0xF0 | point >> 18);
        continuation(12);
        continuation(6);
        continuation(0);
    }
}

bool isLetter(char32_t point)
{
    if (point < 0x80) return (point >= 'a' && point <= 'z') || (point >= 'A' && point <= 'Z');
    return inside(kLetterBoundaries, point);
}

bool isNumber(char32_t point)
{
    if (point < 0x80) return point >= '0' && point <= '9';
    return inside(kNumberBoundaries, point);
}

bool isSpace(char32_t point)
{
    return (point >= 0x09 && point <= 0x0D) || point == 0x20 || point == 0x85 || point == 0xA0 || point == 0x1680 ||
           (point >= 0x2000 && point <= 0x200A) || point == 0x2028 || point == 0x2029 || point == 0x202F ||
           point == 0x205F || point == 0x3000;
}

} // namespace millrace::data
