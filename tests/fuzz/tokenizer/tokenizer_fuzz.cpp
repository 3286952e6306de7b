// Any bytes as vocab.json and merges.txt (what follows the first line that ends with }) and as a tokenizer's JSON:
// an answer or an error, and what is read encodes and decodes to the same bytes and survives its own JSON.
#include "engine/data/tokenizer_files.h"
#include "engine/data/tokenizer_scheme.h"

#include <cstdint>
#include <cstdlib>

using namespace millrace;

namespace {
/// The input's tokens beside the 256 bytes, which random bytes would never name.
std::string withBytes(std::string_view vocab)
{
    auto json = nlohmann::json::parse(vocab, nullptr, false);
    if (!json.is_object()) return std::string(vocab);
    for (const char byte : data::bytesByLetter()) {
        const std::string letters = data::lettersOf({&byte, 1});
        if (!json.contains(letters)) json[letters] = json.size();
    }
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void check(const data::Tokenizer& tokenizer, std::string_view text)
{
    const auto ids = tokenizer.encode(text);
    if (ids && *tokenizer.decode(*ids) != text && tokenizer.toJson().at("tokenizer") != "char") std::abort();
    const auto again = data::Tokenizer::fromJson(tokenizer.toJson());
    if (!again || (ids && *again->encode(text) != *ids)) std::abort();
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const std::string_view content(reinterpret_cast<const char*>(bytes), size);
    const auto json = nlohmann::json::parse(content, nullptr, false);
    if (const auto tokenizer = data::Tokenizer::fromJson(json)) check(*tokenizer, content);
    const std::size_t end = content.find("}\n");
    if (end == std::string_view::npos) return 0;
    const std::string_view vocab = content.substr(0, end + 1), merges = content.substr(end + 2);
    for (const std::string& complete : {std::string(vocab), withBytes(vocab)})
        if (const auto tokenizer = data::gpt2Tokenizer(complete, "vocab", merges, "merges")) check(*tokenizer, content);
    return 0;
}
