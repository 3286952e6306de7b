#include "engine/data/text_split.h"

#include "engine/data/text_unicode.h"

#include <array>

namespace millrace::data {

namespace {
enum class Kind
{
    Letter,
    Number,
    Space,
    Sign
};

Kind kindOf(char32_t point)
{
    if (isLetter(point)) return Kind::Letter;
    if (isNumber(point)) return Kind::Number;
    return isSpace(point) ? Kind::Space : Kind::Sign;
}

struct Run
{
    std::size_t bytes = 0;
    std::size_t lastCharacter = 0; ///< bytes of the last character in it
    bool whole = false;            ///< whatever follows, it goes no further
    bool cut = false;              ///< at kPieceBytes
};

/// The characters of that kind from the position on.
Run runOf(Kind kind, std::string_view text, std::size_t from, bool last)
{
    Run run;
    for (std::size_t at = from; at < text.size();) {
        const Character character = firstCharacter(text.substr(at), last);
        if (character.bytes == 0) return run;
        run.whole = kindOf(character.point) != kind;
        run.cut = !run.whole && at >= kPieceBytes;
        if (run.whole || run.cut) return run;
        at += character.bytes;
        run.bytes = at - from;
        run.lastCharacter = character.bytes;
    }
    run.whole = last;
    return run;
}

/// Bytes of 's, 't, 're, … at the start; 0: there is none. `open`: what is there may become one.
std::size_t contraction(std::string_view text, bool last, bool& open)
{
    constexpr std::array<std::string_view, 7> kContractions{"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (const std::string_view each : kContractions) {
        if (text.starts_with(each)) return each.size();
        if (!last && each.starts_with(text)) open = true;
    }
    return 0;
}

/// Spaces: all of them at the end of the text, else all but the last, which belongs to what follows.
std::size_t spaces(std::string_view text, bool last)
{
    const Run run = runOf(Kind::Space, text, 0, last);
    if (run.cut || (run.whole && run.bytes == text.size())) return run.bytes;
    if (!run.whole) return 0;
    return run.bytes > run.lastCharacter ? run.bytes - run.lastCharacter : run.bytes;
}
} // namespace

std::size_t firstPiece(std::string_view text, bool last)
{
    if (text[0] == '\'') {
        bool open = false;
        const std::size_t bytes = contraction(text, last, open);
        if (bytes > 0 || open) return bytes;
    }
    const std::size_t start = text[0] == ' ' ? 1 : 0;
    if (start == text.size()) return last ? start : 0;
    const Character character = firstCharacter(text.substr(start), last);
    if (character.bytes == 0) return 0;
    const Kind kind = kindOf(character.point);
    if (kind == Kind::Space) return spaces(text, last);
    const Run run = runOf(kind, text, start, last);
    return run.whole || run.cut ? start + run.bytes : 0;
}

Status PendingText::add(std::string_view part)
{
    m_rest += part;
    MR_TRY(const std::size_t used, m_use(m_rest, false));
    m_rest.erase(0, used);
    return {};
}

Status PendingText::finish()
{
    if (m_rest.empty()) return {};
    MR_TRY([[maybe_unused]] const std::size_t used, m_use(m_rest, true));
    m_rest.clear();
    return {};
}

} // namespace millrace::data
