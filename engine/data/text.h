// data.text: a text file as token ids. The text is read in parts, so that memory is what the ids take, however long its
// lines are.
#pragma once

#include "engine/data/byte_source.h"
#include "engine/data/token_set.h"

#include <stop_token>

namespace millrace::data {

struct TextOptions
{
    std::string tokenizer = "char"; ///< byte, char, bpe or gpt2
    std::int64_t vocabulary = 1024; ///< tokens that bpe makes, at most
    std::string vocabFile;          ///< for gpt2: paths
    std::string mergesFile;
};

inline constexpr std::int64_t kMaximumTokens = std::int64_t{1} << 30; ///< of one text: 4 GB of ids

/// The text's tokens; notes tell what is not UTF-8. A byte order mark is left out, UTF-16 is decoded.
/// Errors: InvalidArgument (an empty text), InvalidFormat (tokenizer files, UTF-16 that is none), TooLarge, Cancelled
/// and those of reading.
Result<TokenSet> readText(const OpenBytes& open, const TextOptions& options, const std::string& fileName,
                          std::stop_token stop = {});

/// What readText would give, from a text of that size, without reading a large one: `rows` is -1 where it is not known,
/// and then the vocabulary of characters is that of a sample and that of bpe what is asked for.
Result<pipeline::RowsSchema> inspectText(const OpenBytes& open, const ContentSize& size, const TextOptions& options,
                                         const std::string& fileName);

} // namespace millrace::data
