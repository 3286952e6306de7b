// The records of CSV text, one at a time, with the position of every cell. Memory is bounded by the longest line.
#pragma once

#include "engine/data/byte_source.h"

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::data {

/// Follows RFC 4180, and beyond it: any separator, line ends LF, CRLF and CR mixed, spaces around cells and quotes, a
/// quote within an unquoted cell taken as it stands. Empty lines are skipped. What has no one reading is an error.
class CsvRecords
{
public:
    /// `utf8` gives text as openText makes it.
    CsvRecords(ReadBytes utf8, char separator, std::string fileName);

    /// Goes to the next record; false at the end. Errors, with line and column: InvalidFormat (quotes, NUL),
    /// Unsupported (bytes that are no UTF-8), TooLarge (line, columns), and those of the source.
    Result<bool> next();

    /// The record's cells without the spaces around them; valid until the next call of `next`.
    std::span<const std::string_view> cells() const { return m_cells; }
    bool isQuoted(std::size_t cell) const { return m_spans[cell].quoted; }
    long line() const { return m_line; }
    /// Where the cell begins: line and column from 1, in characters.
    Error&& locate(Error&& error, std::size_t cell) const;
    /// Bytes of the text up to the end of the record.
    std::uint64_t consumedBytes() const { return m_consumed; }

private:
    enum class Ending
    {
        Cell,
        Line,
        File
    };
    struct Position
    {
        long line = 1, column = 1;
    };

    struct Span
    {
        std::size_t begin, end;
        bool quoted = false;
        std::ptrdiff_t unescaped = -1; ///< index in m_unescaped, where doubled quotes had to be undone
    };

    /// The next byte without taking it; -1 at the end of the text or where the source failed.
    int peek()
    {
        const std::size_t next = m_begin + m_offset;
        return next < m_filled ? static_cast<unsigned char>(m_buffer[next]) : peekAfterRefill();
    }
    int peekAfterRefill();
    Status refill();
    Result<bool> readRecord();
    Result<Ending> readCell();
    Result<Ending> readQuoted();
    Result<Ending> endOfCell();
    void skipSpaces();
    void takeLineEnd();
    Status checkText();
    Position positionOf(std::size_t offset) const;
    Error at(Code code, std::string message, std::size_t offset) const;
    std::string_view text(std::size_t begin, std::size_t end) const
    {
        return {m_buffer.data() + m_begin + begin, end - begin};
    }

    ReadBytes m_read;
    char m_separator;
    std::string m_fileName;

    std::vector<char> m_buffer;
    std::size_t m_begin = 0;  ///< of the record in the buffer; all offsets count from here
    std::size_t m_filled = 0; ///< end of the bytes in the buffer
    std::size_t m_offset = 0; ///< of the next byte to look at
    bool m_sourceEnded = false;
    std::optional<Error> m_failure; ///< of the source

    std::optional<std::size_t> m_openQuote;
    std::vector<Span> m_spans;
    std::deque<std::string> m_unescaped; ///< quoted cells that held doubled quotes
    std::vector<std::string_view> m_cells;
    long m_line = 1, m_nextLine = 1;
    std::uint64_t m_consumed = 0;
};

/// UTF-8 text from a file's bytes: a byte order mark is obeyed and dropped. `fallback` is for files without one.
Result<OpenBytes> openText(const OpenBytes& open, Encoding fallback, const std::string& fileName);

} // namespace millrace::data
