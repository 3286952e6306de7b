// Text to token ids and back: bytes, characters, or byte-level BPE (trained here, or GPT-2's own files).
#pragma once

#include "kernels/base/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::data {

class TokenScheme;

/// A fitted tokenizer. A value: copies share what they never change, and may be used from several threads.
///
/// JSON form, which is also a model's preprocessing step:
///   {"kind": "tokenize", "tokenizer": "byte"}                              token i is byte i
///   {"kind": "tokenize", "tokenizer": "char", "characters": "\n !abc"}     token i is the i-th character
///   {"kind": "tokenize", "tokenizer": "bpe", "tokens": […], "merges": […]} tokens written with GPT-2's letters for
///                                                                          bytes; merges as pairs of ids, by rank
class Tokenizer
{
public:
    /// One token for each of the 256 bytes.
    static Tokenizer bytes();
    /// One token for each different character of the text, by code point. A byte that is not UTF-8 counts as U+FFFD.
    /// Errors: InvalidArgument for a text without a character.
    static Result<Tokenizer> characters(std::string_view text);
    /// Errors: InvalidFormat saying what is wrong.
    static Result<Tokenizer> fromJson(const nlohmann::json& json);
    explicit Tokenizer(std::shared_ptr<const TokenScheme> scheme) : m_scheme(std::move(scheme)) {}

    nlohmann::json toJson() const;
    /// How many tokens there are; ids are below it.
    std::int64_t vocabulary() const;

    /// The ids of the text. Bytes and BPE take any bytes; with characters a byte that is not UTF-8 is read as U+FFFD.
    /// Errors: InvalidArgument naming a character that is not in the vocabulary (characters alone).
    Result<std::vector<std::int32_t>> encode(std::string_view text) const;
    /// The tokens' bytes, one after the other; a character may be cut where the ids are.
    /// Errors: InvalidArgument for an id outside the vocabulary.
    Result<std::string> decode(std::span<const std::int32_t> ids) const;

    const TokenScheme& scheme() const { return *m_scheme; }

private:
    std::shared_ptr<const TokenScheme> m_scheme; ///< shared by copies; never null, never changed
};

} // namespace millrace::data
