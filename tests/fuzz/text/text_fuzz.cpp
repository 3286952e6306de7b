// Any bytes as a text: every tokenizer reads it, however it is divided gives the same ids, and bytes and pairs of bytes
// come back whole.
#include "engine/data/text.h"
#include "engine/data/tokenizer_scheme.h"

#include <cstdint>
#include <cstdlib>

using namespace millrace;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size)
{
    const std::string_view text(reinterpret_cast<const char*>(bytes), size);
    const std::size_t part = size > 0 ? bytes[0] % 13 + 1u : 1;
    for (const char* kind : {"byte", "char", "bpe"}) {
        const auto set = data::readText(data::openMemory(text, "fuzz"), {kind, 300, {}, {}}, "fuzz");
        if (!set) continue;
        const auto tokenizer = data::Tokenizer::fromJson(set->tokenizer);
        if (!tokenizer || tokenizer->vocabulary() != set->schema.vocabulary) std::abort();
        for (const std::int32_t id : set->ids)
            if (id < 0 || id >= tokenizer->vocabulary()) std::abort();
        const std::string back = *tokenizer->decode(set->ids);
        std::vector<std::int32_t> ids;
        data::TokenStream stream(*tokenizer, ids);
        for (std::size_t at = 0; at < back.size(); at += part)
            if (!stream.add(std::string_view(back).substr(at, part))) std::abort();
        if (!stream.finish() || ids != set->ids) std::abort();
    }
    return 0;
}
