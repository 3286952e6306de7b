// Makes a tokenizer from a text that arrives in parts: its characters, or the byte pairs that occur most often.
#pragma once

#include "engine/data/text_split.h"
#include "engine/data/tokenizer.h"

#include <string>
#include <unordered_map>

namespace millrace::data {

inline constexpr std::int64_t kByteTokens = 256;

/// Counts the pieces of a text, for `trainBpe`.
class PieceCounter
{
public:
    PieceCounter();
    Status add(std::string_view part) { return m_text.add(part); }
    Status finish() { return m_text.finish(); }
    /// The different pieces fill the memory that is meant for them; what follows is not counted.
    bool full() const { return m_bytes >= kMaximumBytes; }
    const std::unordered_map<std::string, std::int64_t>& counts() const { return m_counts; }

private:
    static constexpr std::size_t kMaximumBytes = 128u << 20;
    static constexpr std::size_t kBytesBeside = 64; ///< what a piece takes beside its text, about
    Result<std::size_t> count(std::string_view text, bool last);

    std::unordered_map<std::string, std::int64_t> m_counts;
    std::size_t m_bytes = 0;
    PendingText m_text;
};

/// Byte-level BPE with (at most) so many tokens: the 256 bytes, in the order of their letters, then one for each merge.
/// Each step joins the pair of neighbours that occurs most often within the pieces; among equals that of the smaller
/// ids. It ends early where no pair occurs twice. The result depends on the counts alone.
/// Source: Sennrich, Haddow, Birch 2016, arXiv:1508.07909, algorithm 1.   Errors: InvalidArgument below 256 tokens.
Result<Tokenizer> trainBpe(const PieceCounter& pieces, std::int64_t vocabulary);

} // namespace millrace::data
