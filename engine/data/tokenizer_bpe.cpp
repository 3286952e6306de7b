// Byte-level BPE: the pieces of a text become bytes, and neighbours are merged, the pair of the lowest rank first.
// Source: Sennrich, Haddow, Birch 2016, arXiv:1508.07909; Radford et al. 2019, github.com/openai/gpt-2, src/encoder.py.
#include "engine/data/text_unicode.h"
#include "engine/data/tokenizer_scheme.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <queue>

namespace millrace::data {

namespace {
constexpr std::size_t kMaximumTokens = 1u << 20;
constexpr std::size_t kMaximumTokenBytes = 1u << 16;
constexpr char32_t kFirstStandIn = 0x100;

Error badBpe(std::string what)
{
    return makeError(Code::InvalidFormat, str("The BPE vocabulary cannot be used: ", std::move(what)));
}

std::uint64_t keyOf(std::int32_t left, std::int32_t right)
{
    return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint32_t>(right);
}

struct Merge
{
    std::int32_t rank = 0, result = 0;
};

class BpeScheme : public TokenScheme
{
public:
    static Result<std::shared_ptr<const BpeScheme>> create(std::vector<std::string> tokens,
                                                           std::vector<MergePair> pairs);
    nlohmann::json toJson() const override;
    std::int64_t vocabulary() const override { return static_cast<std::int64_t>(m_tokens.size()); }
    std::string_view bytesOf(std::int32_t id) const override { return m_tokens[static_cast<std::size_t>(id)]; }
    Result<std::size_t> encode(std::string_view text, bool last, KnownPieces& known,
                               std::vector<std::int32_t>& ids) const override;

private:
    std::vector<std::int32_t> encodePiece(std::string_view piece) const;

    std::vector<std::string> m_tokens; ///< bytes, by id
    std::vector<MergePair> m_pairs;    ///< by rank
    std::array<std::int32_t, 256> m_byteIds{};
    std::unordered_map<std::uint64_t, Merge> m_merges; ///< by keyOf
};

Result<std::unordered_map<std::string_view, std::int32_t>> idsByToken(const std::vector<std::string>& tokens)
{
    std::unordered_map<std::string_view, std::int32_t> ids;
    ids.reserve(tokens.size());
    for (std::size_t i = 0; i < tokens.size(); ++i) {
        if (tokens[i].empty() || tokens[i].size() > kMaximumTokenBytes)
            return badBpe(
                str("token ", i, " has ", tokens[i].size(), " bytes; 1 to ", kMaximumTokenBytes, " are expected."));
        if (!ids.emplace(tokens[i], static_cast<std::int32_t>(i)).second)
            return badBpe(str("tokens ", ids.at(tokens[i]), " and ", i, " are both \"",
                              printable(lettersOf(tokens[i]).substr(0, 80)), "\"."));
    }
    return ids;
}

Result<std::shared_ptr<const BpeScheme>> BpeScheme::create(std::vector<std::string> tokens,
                                                           std::vector<MergePair> pairs)
{
    if (tokens.size() > kMaximumTokens)
        return makeError(Code::TooLarge, str("The BPE vocabulary has ", tokens.size(), " tokens; at most ",
                                             kMaximumTokens, " are read."));
    auto scheme = std::make_shared<BpeScheme>();
    scheme->m_tokens = std::move(tokens);
    scheme->m_pairs = std::move(pairs);
    MR_TRY(const auto ids, idsByToken(scheme->m_tokens));
    for (int byte = 0; byte < 256; ++byte) {
        const char text = static_cast<char>(byte);
        const auto found = ids.find({&text, 1});
        if (found == ids.end()) return badBpe(str("the byte ", byte, " has no token."));
        scheme->m_byteIds[static_cast<std::size_t>(byte)] = found->second;
    }
    const auto count = static_cast<std::int32_t>(scheme->m_tokens.size());
    for (std::size_t rank = 0; rank < scheme->m_pairs.size(); ++rank) {
        const auto [left, right] = scheme->m_pairs[rank];
        if (left < 0 || left >= count || right < 0 || right >= count)
            return badBpe(
                str("merge ", rank, " joins the tokens ", left, " and ", right, ", but there are ", count, "."));
        const std::string joint = str(scheme->bytesOf(left), scheme->bytesOf(right));
        const auto found = ids.find(joint);
        if (found == ids.end())
            return badBpe(str("merge ", rank, " makes \"", printable(lettersOf(joint).substr(0, 80)),
                              "\", which is not among the tokens."));
        if (!scheme->m_merges.emplace(keyOf(left, right), Merge{static_cast<std::int32_t>(rank), found->second}).second)
            return badBpe(str("merge ", rank, " was there before."));
    }
    return std::shared_ptr<const BpeScheme>(std::move(scheme));
}

nlohmann::json BpeScheme::toJson() const
{
    nlohmann::json tokens = nlohmann::json::array(), merges = nlohmann::json::array();
    for (const std::string& token : m_tokens) tokens.push_back(lettersOf(token));
    for (const auto& [left, right] : m_pairs) merges.push_back({left, right});
    return {{"kind", "tokenize"}, {"tokenizer", "bpe"}, {"tokens", std::move(tokens)}, {"merges", std::move(merges)}};
}

/// The symbols of a piece while they are merged: a list of neighbours within a vector.
struct Symbol
{
    std::int32_t id = 0;
    std::int32_t previous = -1, next = -1; ///< positions; -1: none
};

struct Candidate
{
    std::int32_t rank = 0, position = 0; ///< of the left symbol
    std::int32_t left = 0, right = 0;    ///< ids when it was found; they may have been merged since
    bool operator>(const Candidate& other) const
    {
        return rank != other.rank ? rank > other.rank : position > other.position;
    }
};

std::vector<std::int32_t> BpeScheme::encodePiece(std::string_view piece) const
{
    const auto length = static_cast<std::int32_t>(piece.size());
    std::vector<Symbol> symbols;
    symbols.reserve(piece.size());
    for (std::int32_t i = 0; i < length; ++i)
        symbols.push_back({m_byteIds[static_cast<unsigned char>(piece[static_cast<std::size_t>(i)])], i - 1,
                           i + 1 < length ? i + 1 : -1});
    const auto at = [&](std::int32_t position) -> Symbol& { return symbols[static_cast<std::size_t>(position)]; };

    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
    const auto consider = [&](std::int32_t position) {
        if (position < 0 || at(position).next < 0) return;
        const std::int32_t left = at(position).id, right = at(at(position).next).id;
        if (const auto found = m_merges.find(keyOf(left, right)); found != m_merges.end())
            candidates.push({found->second.rank, position, left, right});
    };
    for (std::int32_t i = 0; i < length; ++i) consider(i);

    while (!candidates.empty()) {
        const Candidate best = candidates.top();
        candidates.pop();
        Symbol& left = at(best.position);
        if (left.id != best.left || left.next < 0 || at(left.next).id != best.right) continue;
        Symbol& right = at(left.next);
        left.id = m_merges.at(keyOf(best.left, best.right)).result;
        left.next = right.next;
        if (right.next >= 0) at(right.next).previous = best.position;
        right.id = -1; // gone
        consider(left.previous);
        consider(best.position);
    }
    std::vector<std::int32_t> ids;
    for (std::int32_t i = length > 0 ? 0 : -1; i >= 0; i = at(i).next) ids.push_back(at(i).id);
    return ids;
}

Result<std::size_t> BpeScheme::encode(std::string_view text, bool last, KnownPieces& known,
                                      std::vector<std::int32_t>& ids) const
{
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t bytes = firstPiece(text.substr(at), last);
        if (bytes == 0) break;
        const std::string_view piece = text.substr(at, bytes);
        at += bytes;
        if (const auto* found = known.find(piece)) {
            ids.insert(ids.end(), found->begin(), found->end());
            continue;
        }
        auto fresh = encodePiece(piece);
        ids.insert(ids.end(), fresh.begin(), fresh.end());
        known.remember(piece, std::move(fresh));
    }
    return at;
}

/// Which bytes are written as the Latin-1 character of their number.
bool isPrintable(char32_t byte)
{
    return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

/// The letter of each byte.
const std::array<char32_t, 256>& byteLetters()
{
    static const auto kLetters = [] {
        std::array<char32_t, 256> letters{};
        char32_t standIn = kFirstStandIn;
        for (char32_t byte = 0; byte < 256; ++byte) letters[byte] = isPrintable(byte) ? byte : standIn++;
        return letters;
    }();
    return kLetters;
}
} // namespace

const std::string& bytesByLetter()
{
    static const auto kBytes = [] {
        std::string bytes;
        for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
        std::sort(bytes.begin(), bytes.end(), [](char a, char b) {
            return byteLetters()[static_cast<unsigned char>(a)] < byteLetters()[static_cast<unsigned char>(b)];
        });
        return bytes;
    }();
    return kBytes;
}

std::string lettersOf(std::string_view bytes)
{
    std::string letters;
    for (const char byte : bytes) appendUtf8(letters, byteLetters()[static_cast<unsigned char>(byte)]);
    return letters;
}

Result<std::string> bytesOfLetters(std::string_view letters)
{
    std::string bytes;
    while (!letters.empty()) {
        const Character character = firstCharacter(letters, true);
        letters.remove_prefix(character.bytes);
        const auto& all = byteLetters();
        const auto found = std::find(all.begin(), all.end(), character.point);
        if (found == all.end()) {
            std::string text;
            appendUtf8(text, character.point);
            return badBpe(str("the character \"", printable(text), "\" stands for no byte."));
        }
        bytes += static_cast<char>(found - all.begin());
    }
    return bytes;
}

Result<Tokenizer> bpeTokenizer(std::vector<std::string> tokens, std::vector<MergePair> merges)
{
    MR_TRY(auto scheme, BpeScheme::create(std::move(tokens), std::move(merges)));
    return Tokenizer(std::move(scheme));
}

Result<Tokenizer> bpeFromJson(const nlohmann::json& json)
{
    const auto tokens = json.find("tokens"), merges = json.find("merges");
    if (tokens == json.end() || !tokens->is_array() || merges == json.end() || !merges->is_array())
        return badBpe("a list of tokens and one of merges are expected.");
    std::vector<std::string> bytes;
    for (const auto& token : *tokens) {
        if (!token.is_string()) return badBpe(str("token ", bytes.size(), " is no text."));
        MR_TRY(bytes.emplace_back(), bytesOfLetters(token.get_ref<const std::string&>()));
    }
    std::vector<MergePair> pairs;
    const auto isId = [&](const nlohmann::json& value) {
        return value.is_number_integer() && value >= 0 && value < bytes.size();
    };
    for (const auto& pair : *merges) {
        if (!pair.is_array() || pair.size() != 2 || !isId(pair[0]) || !isId(pair[1]))
            return badBpe(str("merge ", pairs.size(), " is no pair of tokens."));
        pairs.push_back({pair[0].get<std::int32_t>(), pair[1].get<std::int32_t>()});
    }
    return bpeTokenizer(std::move(bytes), std::move(pairs));
}

} // namespace millrace::data
