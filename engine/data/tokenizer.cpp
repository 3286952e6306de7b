#include "engine/data/tokenizer.h"

#include "engine/data/text_unicode.h"
#include "engine/data/tokenizer_scheme.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <set>

namespace millrace::data {

namespace {
constexpr std::size_t kKnownPieces = 1u << 16, kKnownPieceBytes = 64;

class ByteScheme : public TokenScheme
{
public:
    ByteScheme()
    {
        for (std::size_t i = 0; i < m_bytes.size(); ++i) m_bytes[i] = static_cast<char>(i);
    }
    nlohmann::json toJson() const override { return {{"kind", "tokenize"}, {"tokenizer", "byte"}}; }
    std::int64_t vocabulary() const override { return static_cast<std::int64_t>(m_bytes.size()); }
    std::string_view bytesOf(std::int32_t id) const override { return {&m_bytes[static_cast<std::size_t>(id)], 1}; }
    Result<std::size_t> encode(std::string_view text, bool, KnownPieces&, std::vector<std::int32_t>& ids) const override
    {
        for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
        return text.size();
    }

private:
    std::array<char, 256> m_bytes{};
};

class CharacterScheme : public TokenScheme
{
public:
    /// The points in ascending order.
    explicit CharacterScheme(std::vector<char32_t> points) : m_points(std::move(points))
    {
        for (const char32_t point : m_points) appendUtf8(m_texts.emplace_back(), point);
    }
    nlohmann::json toJson() const override
    {
        std::string characters;
        for (const std::string& text : m_texts) characters += text;
        return {{"kind", "tokenize"}, {"tokenizer", "char"}, {"characters", std::move(characters)}};
    }
    std::int64_t vocabulary() const override { return static_cast<std::int64_t>(m_points.size()); }
    std::string_view bytesOf(std::int32_t id) const override { return m_texts[static_cast<std::size_t>(id)]; }
    Result<std::size_t> encode(std::string_view text, bool last, KnownPieces&,
                               std::vector<std::int32_t>& ids) const override
    {
        std::size_t at = 0;
        while (at < text.size()) {
            const Character character = firstCharacter(text.substr(at), last);
            if (character.bytes == 0) break;
            const auto found = std::lower_bound(m_points.begin(), m_points.end(), character.point);
            if (found == m_points.end() || *found != character.point) return unknown(character.point);
            ids.push_back(static_cast<std::int32_t>(found - m_points.begin()));
            at += character.bytes;
        }
        return at;
    }

private:
    Error unknown(char32_t point) const
    {
        std::string text;
        appendUtf8(text, point);
        return makeError(Code::InvalidArgument, str("The character \"", printable(text), "\" is not among the ",
                                                    m_points.size(), " that the tokenizer knows."))
            .advise("Leave it out, or train with a text in which it occurs.");
    }

    std::vector<char32_t> m_points;
    std::vector<std::string> m_texts;
};

Error badTokenizer(std::string what)
{
    return makeError(Code::InvalidFormat, str("The tokenizer cannot be read: ", std::move(what)));
}

Result<Tokenizer> charactersFromJson(const nlohmann::json& json)
{
    const auto characters = json.find("characters");
    if (characters == json.end() || !characters->is_string()) return badTokenizer("it names no characters.");
    const auto& text = characters->get_ref<const std::string&>();
    auto tokenizer = Tokenizer::characters(text);
    if (!tokenizer) return badTokenizer(tokenizer.error().message);
    // the order of the characters is that of their ids
    if (tokenizer->toJson() != json) return badTokenizer("its characters are not in the order of their code points.");
    return tokenizer;
}
} // namespace

const std::vector<std::int32_t>* KnownPieces::find(std::string_view piece)
{
    if (piece.size() > kKnownPieceBytes) return nullptr;
    m_key = piece;
    const auto found = m_pieces.find(m_key);
    return found == m_pieces.end() ? nullptr : &found->second;
}

void KnownPieces::remember(std::string_view piece, std::vector<std::int32_t> ids)
{
    if (piece.size() > kKnownPieceBytes) return;
    if (m_pieces.size() >= kKnownPieces) m_pieces.clear();
    m_pieces.emplace(piece, std::move(ids));
}

TokenStream::TokenStream(Tokenizer tokenizer, std::vector<std::int32_t>& ids)
    : m_tokenizer(std::move(tokenizer)), m_text([this, &ids](std::string_view text, bool last) {
          return m_tokenizer.scheme().encode(text, last, m_known, ids);
      })
{
}

Tokenizer Tokenizer::bytes()
{
    return Tokenizer(std::make_shared<const ByteScheme>());
}

Result<Tokenizer> Tokenizer::characters(std::string_view text)
{
    std::set<char32_t> points;
    for (std::size_t at = 0; at < text.size();) {
        const Character character = firstCharacter(text.substr(at), true);
        points.insert(character.point);
        at += character.bytes;
    }
    if (points.empty()) return makeError(Code::InvalidArgument, "There are no characters to make a vocabulary of.");
    return Tokenizer(std::make_shared<const CharacterScheme>(std::vector<char32_t>(points.begin(), points.end())));
}

Result<Tokenizer> Tokenizer::fromJson(const nlohmann::json& json)
{
    const auto kind = json.is_object() ? json.find("tokenizer") : json.end();
    if (kind == json.end() || !kind->is_string()) return badTokenizer("it does not say of which kind it is.");
    const auto& name = kind->get_ref<const std::string&>();
    if (name == "byte") return bytes();
    if (name == "char") return charactersFromJson(json);
    if (name == "bpe") return bpeFromJson(json);
    return badTokenizer(str("the kind \"", printable(name), "\" is not byte, char or bpe."));
}

nlohmann::json Tokenizer::toJson() const
{
    return m_scheme->toJson();
}

std::int64_t Tokenizer::vocabulary() const
{
    return m_scheme->vocabulary();
}

Result<std::vector<std::int32_t>> Tokenizer::encode(std::string_view text) const
{
    std::vector<std::int32_t> ids;
    KnownPieces known;
    if (text.empty()) return ids;
    MR_TRY([[maybe_unused]] const std::size_t used, m_scheme->encode(text, true, known, ids));
    return ids;
}

Result<std::string> Tokenizer::decode(std::span<const std::int32_t> ids) const
{
    std::string bytes;
    for (const std::int32_t id : ids) {
        if (id < 0 || id >= vocabulary())
            return makeError(Code::InvalidArgument,
                             str("Token ", id, " is outside the vocabulary of ", vocabulary(), "."));
        bytes += m_scheme->bytesOf(id);
    }
    return bytes;
}

} // namespace millrace::data
