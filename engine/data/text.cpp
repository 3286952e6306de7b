#include "engine/data/text.h"

#include "engine/data/csv_records.h"
#include "engine/data/text_unicode.h"
#include "engine/data/tokenizer_files.h"
#include "engine/data/tokenizer_scheme.h"
#include "engine/data/tokenizer_train.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <functional>
#include <set>

namespace millrace::data {

namespace {
constexpr std::size_t kPartBytes = 256u << 10;
constexpr std::uint64_t kSampleBytes = 4u << 20; ///< read while somebody edits: some 20 ms

using Part = std::function<Status(std::string_view)>;

/// Hands the text on in parts, until it ends or so many bytes were read. True where it was read to its end.
Result<bool> forEachPart(const OpenBytes& text, const std::string& fileName, std::uint64_t limitBytes,
                         std::stop_token stop, const Part& use)
{
    MR_TRY(const ReadBytes read, text());
    std::string buffer(kPartBytes, '\0');
    for (std::uint64_t done = 0; done < limitBytes;) {
        if (stop.stop_requested())
            return makeError(Code::Cancelled, "Reading the file was cancelled.").atFile(fileName);
        MR_TRY(const std::size_t count, readFully(read, buffer.data(), buffer.size()));
        if (count == 0) return true;
        MR_CHECK(use({buffer.data(), count}));
        done += count;
    }
    return false;
}

/// What characters a text has, and how many of its bytes are no UTF-8.
class CharacterCounter
{
public:
    CharacterCounter()
        : m_text([this](std::string_view text, bool last) { return Result<std::size_t>(count(text, last)); })
    {
    }
    Status add(std::string_view part) { return m_text.add(part); }
    Status finish() { return m_text.finish(); }
    std::int64_t invalidBytes() const { return m_invalidBytes; }
    std::string characters() const
    {
        std::string all;
        for (const char32_t point : m_points) appendUtf8(all, point);
        return all;
    }

private:
    std::size_t count(std::string_view text, bool last)
    {
        std::size_t at = 0;
        while (at < text.size()) {
            const Character character = firstCharacter(text.substr(at), last);
            if (character.bytes == 0) break;
            if (!character.valid) ++m_invalidBytes;
            if (character.point != m_latest) m_points.insert(m_latest = character.point);
            at += character.bytes;
        }
        return at;
    }

    std::set<char32_t> m_points;
    char32_t m_latest = 0xFFFFFFFF; ///< no character
    std::int64_t m_invalidBytes = 0;
    PendingText m_text;
};

/// What the first pass finds out.
struct Fitted
{
    Tokenizer tokenizer = Tokenizer::bytes();
    std::vector<std::string> notes;
    bool wholeText = true;
};

Error emptyText(const std::string& fileName)
{
    return makeError(Code::InvalidArgument, "The file is empty; there is no text to learn from.")
        .atFile(fileName)
        .advise("Choose another file.");
}

Result<Fitted> fitCharacters(const OpenBytes& text, const std::string& fileName, std::uint64_t limitBytes,
                             std::stop_token stop)
{
    CharacterCounter counter;
    Fitted fitted;
    MR_TRY(fitted.wholeText,
           forEachPart(text, fileName, limitBytes, stop, [&](std::string_view part) { return counter.add(part); }));
    MR_CHECK(counter.finish());
    const std::string characters = counter.characters();
    if (characters.empty()) return emptyText(fileName);
    MR_TRY(fitted.tokenizer, Tokenizer::characters(characters));
    if (const auto bytes = counter.invalidBytes(); bytes > 0)
        fitted.notes.push_back(
            str(formatCount(bytes), bytes == 1 ? " byte is" : " bytes are", " not UTF-8 and read as U+FFFD."));
    return fitted;
}

Result<Fitted> fitBpe(const OpenBytes& text, std::int64_t vocabulary, const std::string& fileName, std::stop_token stop)
{
    PieceCounter counter;
    MR_TRY([[maybe_unused]] const bool whole,
           forEachPart(text, fileName, UINT64_MAX, stop, [&](std::string_view part) { return counter.add(part); }));
    MR_CHECK(counter.finish());
    Fitted fitted;
    MR_TRY(fitted.tokenizer, trainBpe(counter, vocabulary));
    if (counter.full())
        fitted.notes.push_back(str("The text has very many different words; the vocabulary was made from the first ",
                                   formatCount(static_cast<std::int64_t>(counter.counts().size())), " of them."));
    if (const auto made = fitted.tokenizer.vocabulary(); made < vocabulary)
        fitted.notes.push_back(str("The vocabulary has ", formatCount(made), " tokens instead of ",
                                   formatCount(vocabulary), ": no further pair of tokens occurs twice."));
    return fitted;
}

Result<Fitted> readGpt2(const TextOptions& options)
{
    MR_TRY(const std::string vocab, readFile(options.vocabFile, kTokenizerFileBytes));
    MR_TRY(const std::string merges, readFile(options.mergesFile, kTokenizerFileBytes));
    Fitted fitted;
    MR_TRY(fitted.tokenizer, gpt2Tokenizer(vocab, options.vocabFile, merges, options.mergesFile));
    return fitted;
}

Result<Fitted> fit(const OpenBytes& text, const TextOptions& options, const std::string& fileName, std::stop_token stop)
{
    if (options.tokenizer == "byte") return Fitted{};
    if (options.tokenizer == "char") return fitCharacters(text, fileName, UINT64_MAX, stop);
    if (options.tokenizer == "bpe") return fitBpe(text, options.vocabulary, fileName, stop);
    if (options.tokenizer == "gpt2") return readGpt2(options);
    return makeError(Code::InvalidArgument, str("The tokenizer is \"", printable(options.tokenizer),
                                                "\"; byte, char, bpe or gpt2 is expected."));
}

pipeline::RowsSchema schemaOf(std::int64_t vocabulary, std::int64_t tokens)
{
    pipeline::RowsSchema schema;
    schema.features = Shape{1};
    schema.rows = tokens;
    schema.target = pipeline::TargetKind::NextToken;
    schema.targetName = "next token";
    schema.vocabulary = vocabulary;
    return schema;
}

Error changed(const std::string& fileName)
{
    return makeError(Code::Corrupt, "The file changed while it was read.")
        .atFile(fileName)
        .advise("Run again when nobody writes to it.");
}
} // namespace

Result<TokenSet> readText(const OpenBytes& open, const TextOptions& options, const std::string& fileName,
                          std::stop_token stop)
{
    MR_TRY(const OpenBytes text, openText(open, Encoding::Utf8, fileName));
    MR_TRY(Fitted fitted, fit(text, options, fileName, stop));
    TokenSet set;
    TokenStream stream(fitted.tokenizer, set.ids);
    MR_TRY([[maybe_unused]] const bool whole,
           forEachPart(text, fileName, UINT64_MAX, stop, [&](std::string_view part) -> Status {
               if (!stream.add(part)) return changed(fileName); // a character that the first pass has not met
               if (static_cast<std::int64_t>(set.ids.size()) > kMaximumTokens)
                   return makeError(Code::TooLarge,
                                    str("The text has more than ", formatCount(kMaximumTokens), " tokens."))
                       .atFile(fileName)
                       .advise("Take a part of it, or a tokenizer with a larger vocabulary.");
               return {};
           }));
    if (!stream.finish()) return changed(fileName);
    if (set.ids.empty()) return emptyText(fileName);
    set.schema = schemaOf(fitted.tokenizer.vocabulary(), static_cast<std::int64_t>(set.ids.size()));
    set.tokenizer = fitted.tokenizer.toJson();
    set.notes = std::move(fitted.notes);
    return set;
}

Result<pipeline::RowsSchema> inspectText(const OpenBytes& open, const ContentSize& size, const TextOptions& options,
                                         const std::string& fileName)
{
    if (size.fileBytes == 0) return emptyText(fileName);
    if (options.tokenizer == "bpe") return schemaOf(options.vocabulary, -1);
    if (!size.packed && size.fileBytes <= kSampleBytes) {
        MR_TRY(const TokenSet set, readText(open, options, fileName));
        return set.schema;
    }
    MR_TRY(const OpenBytes text, openText(open, Encoding::Utf8, fileName));
    if (options.tokenizer != "char") {
        MR_TRY(const Fitted fitted, fit(text, options, fileName, {}));
        return schemaOf(fitted.tokenizer.vocabulary(), -1);
    }
    MR_TRY(const Fitted sample, fitCharacters(text, fileName, kSampleBytes, {}));
    return schemaOf(sample.tokenizer.vocabulary(), -1);
}

} // namespace millrace::data
