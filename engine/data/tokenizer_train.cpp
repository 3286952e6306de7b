#include "engine/data/tokenizer_train.h"

#include "engine/data/tokenizer_scheme.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <queue>

namespace millrace::data {

namespace {
constexpr std::int64_t kFewest = 2; ///< a pair that occurs less often is not joined

std::uint64_t keyOf(MergePair pair)
{
    return static_cast<std::uint64_t>(pair.left) << 32 | static_cast<std::uint32_t>(pair.right);
}

struct Piece
{
    std::vector<std::int32_t> ids;
    std::int64_t count = 0;
};

struct PairState
{
    std::int64_t count = 0;
    std::vector<std::uint32_t> pieces; ///< where it is or was
};

struct Candidate
{
    std::int64_t count = 0; ///< when it was queued; it may have become smaller
    MergePair pair;
    bool operator<(const Candidate& other) const
    {
        if (count != other.count) return count < other.count;
        return keyOf(pair) > keyOf(other.pair);
    }
};

class BpeTrainer
{
public:
    explicit BpeTrainer(const PieceCounter& counter)
    {
        std::array<std::int32_t, kByteTokens> idOf{};
        for (const char byte : bytesByLetter()) {
            idOf[static_cast<unsigned char>(byte)] = static_cast<std::int32_t>(m_tokens.size());
            m_ids.emplace(m_tokens.emplace_back(1, byte), static_cast<std::int32_t>(m_ids.size()));
        }
        for (const auto& [text, count] : counter.counts()) {
            Piece& piece = m_pieces.emplace_back();
            piece.count = count;
            for (const char byte : text) piece.ids.push_back(idOf[static_cast<unsigned char>(byte)]);
        }
        for (std::uint32_t index = 0; index < m_pieces.size(); ++index) {
            const auto& ids = m_pieces[index].ids;
            for (std::size_t i = 0; i + 1 < ids.size(); ++i) change({ids[i], ids[i + 1]}, index, 1);
        }
        queueRisen();
    }

    /// Joins the most frequent pair. False where none is left that occurs often enough.
    bool join()
    {
        while (!m_queue.empty()) {
            const Candidate best = m_queue.top();
            m_queue.pop();
            const std::int64_t count = m_pairs[keyOf(best.pair)].count;
            if (count < kFewest) continue;
            if (count != best.count) {
                m_queue.push({count, best.pair});
                continue;
            }
            joinEverywhere(best.pair);
            return true;
        }
        return false;
    }

    std::size_t tokens() const { return m_tokens.size(); }
    Result<Tokenizer> tokenizer() && { return bpeTokenizer(std::move(m_tokens), std::move(m_merges)); }

private:
    /// The pair occurs once more (or less) in each occurrence of the piece.
    void change(MergePair pair, std::uint32_t index, int times)
    {
        PairState& state = m_pairs[keyOf(pair)];
        state.count += times * m_pieces[index].count;
        if (times < 0) return;
        if (state.pieces.empty() || state.pieces.back() != index) state.pieces.push_back(index);
        m_risen.push_back(pair);
    }

    void queueRisen()
    {
        const auto before = [](MergePair a, MergePair b) { return keyOf(a) < keyOf(b); };
        std::sort(m_risen.begin(), m_risen.end(), before);
        m_risen.erase(std::unique(m_risen.begin(), m_risen.end()), m_risen.end());
        for (const MergePair pair : m_risen) m_queue.push({m_pairs[keyOf(pair)].count, pair});
        m_risen.clear();
    }

    void joinEverywhere(MergePair pair)
    {
        std::string bytes =
            str(m_tokens[static_cast<std::size_t>(pair.left)], m_tokens[static_cast<std::size_t>(pair.right)]);
        // two pairs may make the same token, such as a + bc and ab + c
        const auto joint = m_ids.try_emplace(bytes, static_cast<std::int32_t>(m_tokens.size())).first->second;
        if (static_cast<std::size_t>(joint) == m_tokens.size()) m_tokens.push_back(std::move(bytes));
        m_merges.push_back(pair);
        const auto pieces = std::move(m_pairs[keyOf(pair)].pieces);
        for (const std::uint32_t index : pieces) joinIn(index, pair, joint);
        queueRisen();
    }

    void joinIn(std::uint32_t index, MergePair pair, std::int32_t joint)
    {
        auto& ids = m_pieces[index].ids;
        std::size_t to = 0;
        for (std::size_t from = 0; from < ids.size(); ++from, ++to) {
            if (from + 1 == ids.size() || ids[from] != pair.left || ids[from + 1] != pair.right) {
                ids[to] = ids[from];
                continue;
            }
            change(pair, index, -1);
            if (to > 0) {
                change({ids[to - 1], pair.left}, index, -1);
                change({ids[to - 1], joint}, index, 1);
            }
            if (from + 2 < ids.size()) {
                change({pair.right, ids[from + 2]}, index, -1);
                change({joint, ids[from + 2]}, index, 1);
            }
            ids[to] = joint;
            ++from;
        }
        ids.resize(to);
    }

    std::vector<std::string> m_tokens;
    std::unordered_map<std::string, std::int32_t> m_ids; ///< of the tokens
    std::vector<MergePair> m_merges;
    std::vector<Piece> m_pieces;
    std::unordered_map<std::uint64_t, PairState> m_pairs;
    std::vector<MergePair> m_risen; ///< occur more often than when the queue was last filled
    std::priority_queue<Candidate> m_queue;
};
} // namespace

PieceCounter::PieceCounter() : m_text([this](std::string_view text, bool last) { return count(text, last); }) {}

Result<std::size_t> PieceCounter::count(std::string_view text, bool last)
{
    std::size_t at = 0;
    while (at < text.size()) {
        const std::size_t bytes = firstPiece(text.substr(at), last);
        if (bytes == 0) break;
        if (!full()) {
            const auto [entry, isNew] = m_counts.try_emplace(std::string(text.substr(at, bytes)));
            ++entry->second;
            if (isNew) m_bytes += bytes + kBytesBeside;
        }
        at += bytes;
    }
    return at;
}

Result<Tokenizer> trainBpe(const PieceCounter& pieces, std::int64_t vocabulary)
{
    if (vocabulary < kByteTokens)
        return makeError(Code::InvalidArgument, str("A vocabulary of ", vocabulary,
                                                    " tokens is asked for; the bytes alone are ", kByteTokens, "."));
    BpeTrainer trainer(pieces);
    while (static_cast<std::int64_t>(trainer.tokens()) < vocabulary && trainer.join()) {
    }
    return std::move(trainer).tokenizer();
}

} // namespace millrace::data
