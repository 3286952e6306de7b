#include "engine/data/tokenizer_files.h"

#include "engine/data/tokenizer_scheme.h"
#include "kernels/base/text.h"

namespace millrace::data {

namespace {
using Ids = std::unordered_map<std::string, std::int32_t>;

Error badVocab(const std::string& file, std::string what)
{
    return makeError(Code::InvalidFormat, str("The vocabulary cannot be read: ", std::move(what)))
        .atFile(file)
        .advise("It must be one JSON object of tokens and their numbers, like GPT-2's vocab.json.");
}

/// The tokens' bytes by id.
Result<std::vector<std::string>> readVocab(std::string_view text, const std::string& file)
{
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return badVocab(file, "it is not a JSON object.");
    std::vector<std::string> tokens(json.size());
    for (const auto& [letters, id] : json.items()) {
        const std::string shown = printable(std::string_view(letters).substr(0, 80));
        if (!id.is_number_integer() || id < 0 || id >= json.size())
            return badVocab(file, str("the number of \"", shown, "\" is ", printable(id.dump().substr(0, 80)),
                                      "; 0 to ", json.size() - 1, " are expected."));
        std::string& token = tokens[id.get<std::size_t>()];
        if (!token.empty()) return badVocab(file, str("two tokens have the number ", id.get<std::size_t>(), "."));
        auto bytes = bytesOfLetters(letters);
        if (!bytes) return std::move(bytes).error().atFile(file);
        if (bytes->empty()) return badVocab(file, "there is an empty token.");
        token = std::move(*bytes);
    }
    return tokens;
}

Result<std::int32_t> idOf(std::string_view letters, const Ids& ids, const std::string& file, long line)
{
    auto bytes = bytesOfLetters(letters);
    if (!bytes) return std::move(bytes).error().atFile(file, line);
    const auto found = ids.find(*bytes);
    if (found == ids.end())
        return makeError(Code::InvalidFormat, str("The merge joins \"", printable(letters.substr(0, 80)),
                                                  "\", which is not in the vocabulary."))
            .atFile(file, line)
            .advise("Do both files belong to the same tokenizer?");
    return found->second;
}

Result<std::vector<MergePair>> readMerges(std::string_view text, const Ids& ids, const std::string& file)
{
    std::vector<MergePair> merges;
    long number = 0;
    for (std::string_view line : split(text, '\n')) {
        ++number;
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || (number == 1 && line.starts_with("#version"))) continue;
        const auto space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
            return makeError(Code::InvalidFormat, str("The merge \"", printable(line.substr(0, 80)),
                                                      "\" is not two tokens with a space between."))
                .atFile(file, number);
        MR_TRY(const std::int32_t left, idOf(line.substr(0, space), ids, file, number));
        MR_TRY(const std::int32_t right, idOf(line.substr(space + 1), ids, file, number));
        merges.push_back({left, right});
    }
    return merges;
}
} // namespace

Result<Tokenizer> gpt2Tokenizer(std::string_view vocab, const std::string& vocabFile, std::string_view merges,
                                const std::string& mergesFile)
{
    MR_TRY(auto tokens, readVocab(vocab, vocabFile));
    Ids ids;
    for (std::size_t i = 0; i < tokens.size(); ++i) ids.emplace(tokens[i], static_cast<std::int32_t>(i));
    MR_TRY(auto pairs, readMerges(merges, ids, mergesFile));
    auto tokenizer = bpeTokenizer(std::move(tokens), std::move(pairs));
    if (!tokenizer) return std::move(tokenizer).error().atFile(vocabFile);
    return tokenizer;
}

} // namespace millrace::data
