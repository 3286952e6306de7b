// GPT-2's division of a text into pieces (words with the space before them, numbers, signs, spaces), within which
// byte pairs are merged.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "kernels/base/result.h"

namespace millrace::data {

/// A longer piece is cut here, so that a text without a space needs no more memory than another.
inline constexpr std::size_t kPieceBytes = 64u << 10;

/// Bytes of the first piece of a text that is not empty; 0 where that depends on what follows (`last` is false).
/// It is what the expression 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+ matches; a byte
/// that is not UTF-8 counts as a sign.   Source: Radford et al. 2019, github.com/openai/gpt-2, src/encoder.py.
std::size_t firstPiece(std::string_view text, bool last);

/// A text that arrives in parts, handed on as far as it can be used.
class PendingText
{
public:
    /// How many bytes from the start were used.
    using Use = std::function<Result<std::size_t>(std::string_view text, bool last)>;
    explicit PendingText(Use use) : m_use(std::move(use)) {}
    Status add(std::string_view part);
    /// Nothing more comes: all that is left must be used.
    Status finish();

private:
    Use m_use;
    std::string m_rest;
};

} // namespace millrace::data
