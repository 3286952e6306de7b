// GPT-2's own tokenizer files: vocab.json (tokens to ids) and merges.txt (pairs by rank).
#pragma once

#include "engine/data/tokenizer.h"

#include <string>
#include <string_view>

namespace millrace::data {

inline constexpr std::uint64_t kTokenizerFileBytes = 64u << 20; ///< GPT-2's have 1 MB

/// Byte-level BPE from the contents of the two files, as GPT-2, RoBERTa and the Hugging Face library write them; the
/// ids are those of vocab.json and must be 0 … n-1. Tokens that no merge makes (<|endoftext|>) are decoded, but no text
/// is encoded to them.   Source: github.com/openai/gpt-2, src/encoder.py.
/// Errors: InvalidFormat with the file, and for merges the line, TooLarge.
Result<Tokenizer> gpt2Tokenizer(std::string_view vocab, const std::string& vocabFile, std::string_view merges,
                                const std::string& mergesFile);

} // namespace millrace::data
