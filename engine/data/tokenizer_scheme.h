// What a kind of tokenizer is to the rest of engine/data, and the ids of a text that arrives in parts.
#pragma once

#include "engine/data/text_split.h"
#include "engine/data/tokenizer.h"

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace millrace::data {

/// Pieces whose ids were found before; a text repeats its words.
class KnownPieces
{
public:
    /// Null where the piece is not known.
    const std::vector<std::int32_t>* find(std::string_view piece);
    void remember(std::string_view piece, std::vector<std::int32_t> ids);

private:
    std::string m_key; ///< kept for its memory
    std::unordered_map<std::string, std::vector<std::int32_t>> m_pieces;
};

class TokenScheme
{
public:
    virtual ~TokenScheme() = default;
    virtual nlohmann::json toJson() const = 0;
    virtual std::int64_t vocabulary() const = 0;
    /// The bytes of a token below `vocabulary()`.
    virtual std::string_view bytesOf(std::int32_t id) const = 0;
    /// Appends the ids of as much of the text as what follows cannot change any more, of all of it where `last`.
    /// Returns how many bytes that were. Errors: those of Tokenizer::encode.
    virtual Result<std::size_t> encode(std::string_view text, bool last, KnownPieces& known,
                                       std::vector<std::int32_t>& ids) const = 0;
};

/// The ids of a text that arrives in parts: the same as those of the whole, wherever it is divided.
class TokenStream
{
public:
    /// Appends to `ids`, which must outlive it.
    TokenStream(Tokenizer tokenizer, std::vector<std::int32_t>& ids);
    Status add(std::string_view part) { return m_text.add(part); }
    Status finish() { return m_text.finish(); }

private:
    Tokenizer m_tokenizer;
    KnownPieces m_known;
    PendingText m_text;
};

/// Byte-level BPE's letters for bytes, so that a token can be written as text: printable bytes stand for themselves,
/// the other 68 for U+0100 and on (a space is Ġ).   Source: github.com/openai/gpt-2, src/encoder.py.
std::string lettersOf(std::string_view bytes);
/// The bytes again. Errors: InvalidFormat for a character that stands for no byte.
Result<std::string> bytesOfLetters(std::string_view letters);
/// The bytes in the order of their letters: GPT-2's tokens 0 … 255.
const std::string& bytesByLetter();

struct MergePair
{
    std::int32_t left = 0, right = 0;
    bool operator==(const MergePair&) const = default;
};

/// Byte-level BPE over these tokens (bytes, by id) and merges (by rank).
/// Errors: InvalidFormat where a byte has no token, two tokens are the same, a merge's token is missing or TooLarge.
Result<Tokenizer> bpeTokenizer(std::vector<std::string> tokens, std::vector<MergePair> merges);
/// From the JSON form's "tokens" and "merges".
Result<Tokenizer> bpeFromJson(const nlohmann::json& json);

} // namespace millrace::data
