// The characters of a text that may not be a text: UTF-8 from bytes, and what Unicode says of a character.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace millrace::data {

inline constexpr char32_t kReplacement = 0xFFFD; ///< stands for what is no character

struct Character
{
    char32_t point = kReplacement;
    std::size_t bytes = 0; ///< 0: the text ends within the character
    bool valid = false;    ///< false: one byte that is not UTF-8
};

/// The first character of a text that is not empty. Where the text may go on (`last` is false), a character that is
/// cut off at its end has no bytes yet.
Character firstCharacter(std::string_view text, bool last);

void appendUtf8(std::string& out, char32_t point);

bool isLetter(char32_t point); ///< Unicode's general class L
bool isNumber(char32_t point); ///< Unicode's general class N
bool isSpace(char32_t point);  ///< Unicode's property White_Space

} // namespace millrace::data
