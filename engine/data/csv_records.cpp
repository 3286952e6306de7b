#include "engine/data/csv_records.h"

#include "engine/data/csv.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cstring>
#include <memory>

namespace millrace::data {

namespace {
constexpr std::size_t kFirstChunkBytes = 4u << 10; ///< enough for one row that is to be predicted
constexpr std::size_t kChunkBytes = 256u << 10;

bool isAscii(std::string_view text)
{
    std::size_t i = 0;
    for (; i + 8 <= text.size(); i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data() + i, sizeof word);
        if ((word & 0x8080808080808080u) != 0) return false;
    }
    return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(i), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}
/// Length of the well-formed start of text that is not well-formed as a whole.
std::size_t validUtf8Bytes(std::string_view text)
{
    std::size_t valid = 0;
    while (valid < text.size()) {
        std::size_t length = 1;
        while (length <= 4 && !isUtf8(text.substr(valid, length))) ++length;
        if (length > 4) break;
        valid += length;
    }
    return valid;
}
} // namespace

CsvRecords::CsvRecords(ReadBytes utf8, char separator, std::string fileName)
    : m_read(std::move(utf8)), m_separator(separator), m_fileName(std::move(fileName))
{
}

Result<bool> CsvRecords::next()
{
    for (;;) {
        MR_TRY(const bool found, readRecord());
        if (!found) return false;
        const bool emptyLine = m_spans.size() == 1 && m_cells[0].empty();
        if (!emptyLine) return true;
    }
}

Error&& CsvRecords::locate(Error&& error, std::size_t cell) const
{
    const Span& span = m_spans[cell];
    const Position position = positionOf(span.quoted ? span.begin - 1 : span.begin);
    return std::move(error).atFile(m_fileName, position.line, position.column);
}

int CsvRecords::peekAfterRefill()
{
    if (auto filled = refill(); !filled) m_failure = std::move(filled).error();
    const std::size_t next = m_begin + m_offset;
    return next < m_filled ? static_cast<unsigned char>(m_buffer[next]) : -1;
}

Status CsvRecords::refill()
{
    if (m_sourceEnded || m_failure) return {};
    if (m_begin > 0) {
        std::memmove(m_buffer.data(), m_buffer.data() + m_begin, m_filled - m_begin);
        m_filled -= m_begin;
        m_begin = 0;
    }
    if (m_filled > CsvLimits::kLineBytes) {
        const std::string limit = formatBytes(static_cast<double>(CsvLimits::kLineBytes));
        if (m_openQuote)
            return at(Code::TooLarge, str("The quote opened here is not closed within ", limit, "."), *m_openQuote);
        return at(Code::TooLarge, str("The line is longer than ", limit, ", which is the limit."), 0);
    }
    m_buffer.resize(std::max(m_buffer.size(), m_filled + (m_buffer.empty() ? kFirstChunkBytes : kChunkBytes)));
    MR_TRY(const std::size_t count, m_read(m_buffer.data() + m_filled, m_buffer.size() - m_filled));
    m_sourceEnded = count == 0;
    m_filled += count;
    return {};
}

Result<bool> CsvRecords::readRecord()
{
    m_begin += m_offset;
    m_consumed += m_offset;
    m_offset = 0;
    m_line = m_nextLine;
    m_spans.clear();
    m_unescaped.clear();
    m_cells.clear();
    const bool nothingLeft = peek() < 0;
    if (m_failure) return *m_failure;
    if (nothingLeft) return false;

    for (Ending ending = Ending::Cell; ending == Ending::Cell;) {
        if (m_spans.size() == CsvLimits::kColumns)
            return at(Code::TooLarge,
                      str("The line has more than ", formatCount(static_cast<std::int64_t>(CsvLimits::kColumns)),
                          " cells, which is the limit."),
                      m_offset);
        MR_TRY(ending, readCell());
        if (ending == Ending::Cell) ++m_offset;
        if (ending == Ending::Line) takeLineEnd();
        if (m_failure) return *m_failure;
    }
    // the views are made last: the buffer moves while a record is read
    for (const Span& span : m_spans)
        m_cells.push_back(trimmed(span.unescaped < 0
                                      ? text(span.begin, span.end)
                                      : std::string_view(m_unescaped[static_cast<std::size_t>(span.unescaped)])));
    MR_CHECK(checkText());
    return true;
}

Result<CsvRecords::Ending> CsvRecords::readCell()
{
    skipSpaces();
    if (peek() == '"') return readQuoted();
    const std::size_t begin = m_offset;
    for (int c = peek(); c >= 0 && c != m_separator && c != '\n' && c != '\r'; c = peek()) ++m_offset;
    m_spans.push_back({begin, m_offset});
    return endOfCell();
}

Result<CsvRecords::Ending> CsvRecords::readQuoted()
{
    m_openQuote = m_offset++;
    const std::size_t begin = m_offset;
    bool doubled = false;
    for (;;) {
        const int c = peek();
        if (m_failure) return *m_failure;
        if (c < 0) return at(Code::InvalidFormat, "The quote opened here is never closed.", *m_openQuote);
        ++m_offset;
        if (c == '\n' || (c == '\r' && peek() != '\n')) ++m_nextLine;
        if (c != '"') continue;
        if (peek() != '"') break;
        ++m_offset;
        doubled = true;
    }
    Span span{begin, m_offset - 1, true};
    m_openQuote.reset();
    if (doubled) {
        span.unescaped = static_cast<std::ptrdiff_t>(m_unescaped.size());
        std::string& content = m_unescaped.emplace_back();
        const std::string_view raw = text(span.begin, span.end);
        for (std::size_t i = 0; i < raw.size(); ++i) {
            content += raw[i];
            if (raw[i] == '"') ++i;
        }
    }
    m_spans.push_back(span);
    skipSpaces();
    return endOfCell();
}

Result<CsvRecords::Ending> CsvRecords::endOfCell()
{
    const int c = peek();
    if (m_failure) return *m_failure;
    if (c < 0) return Ending::File;
    if (c == m_separator) return Ending::Cell;
    if (c == '\n' || c == '\r') return Ending::Line;
    return at(Code::InvalidFormat, "After the closing quote of a cell, a separator or the line's end is expected.",
              m_offset)
        .advise("Double a quote that belongs to the text: \"\".");
}

void CsvRecords::skipSpaces()
{
    for (int c = peek(); c == ' ' || (c == '\t' && m_separator != '\t'); c = peek()) ++m_offset;
}

/// LF, CRLF or CR.
void CsvRecords::takeLineEnd()
{
    const int first = peek();
    ++m_offset;
    if (first == '\r' && peek() == '\n') ++m_offset;
    ++m_nextLine;
}

Status CsvRecords::checkText()
{
    const std::string_view record = text(0, m_offset);
    if (const auto nul = record.find('\0'); nul != std::string_view::npos)
        return at(Code::InvalidFormat, "There is a NUL byte in the text.", nul)
            .advise("The file is binary, or UTF-16 without a byte order mark; save it as UTF-8 text.");
    if (isAscii(record) || isUtf8(record)) return {};
    const std::size_t bad = validUtf8Bytes(record);
    return at(Code::Unsupported, str("The byte ", int{static_cast<unsigned char>(record[bad])}, " here is no UTF-8."),
              bad)
        .advise("Save the file as UTF-8.");
}

CsvRecords::Position CsvRecords::positionOf(std::size_t offset) const
{
    Position position{m_line, 1};
    const std::string_view before = text(0, offset);
    for (std::size_t i = 0; i < before.size(); ++i) {
        const bool crlf = before[i] == '\r' && i + 1 < before.size() && before[i + 1] == '\n';
        if (crlf) continue;
        if (before[i] == '\n' || before[i] == '\r') {
            ++position.line;
            position.column = 1;
        } else if ((static_cast<unsigned char>(before[i]) & 0xC0) != 0x80) {
            ++position.column; // not a byte that continues a character
        }
    }
    return position;
}

Error CsvRecords::at(Code code, std::string message, std::size_t offset) const
{
    const Position position = positionOf(offset);
    return makeError(code, std::move(message)).atFile(m_fileName, position.line, position.column);
}

Result<OpenBytes> openText(const OpenBytes& open, Encoding fallback, const std::string& fileName)
{
    char start[3];
    MR_TRY(const ReadBytes first, open());
    MR_TRY(const std::size_t count, readFully(first, start, sizeof start));
    std::size_t markBytes = 0;
    const Encoding marked = detectEncoding({start, count}, markBytes);
    const Encoding encoding = markBytes > 0 ? marked : fallback;
    return OpenBytes([open, encoding, markBytes, fileName]() -> Result<ReadBytes> {
        MR_TRY(ReadBytes read, open());
        char mark[3];
        MR_TRY(const std::size_t skipped, readFully(read, mark, markBytes));
        if (skipped != markBytes)
            return makeError(Code::Corrupt, "The file changed while it was read.").atFile(fileName);
        return decodeText(std::move(read), encoding, fileName);
    });
}

} // namespace millrace::data
