// Byte order marks, UTF-16 and Windows-1252 to UTF-8.
#include "engine/data/byte_source.h"
#include "kernels/base/text.h"

#include <array>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace millrace::data {

namespace {
constexpr std::size_t kChunkBytes = 32u << 10;

void appendUtf8(std::string& out, std::uint32_t point)
{
    const auto add = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (point < 0x80) {
        add(point);
    } else if (point < 0x800) {
        add(0xC0 | (point >> 6));
        add(0x80 | (point & 0x3F));
    } else if (point < 0x10000) {
        add(0xE0 | (point >> 12));
        add(0x80 | (point >> 6 & 0x3F));
        add(0x80 | (point & 0x3F));
    } else {
        add(0xF0 | (point >> 18));
        add(0x80 | (point >> 12 & 0x3F));
        add(0x80 | (point >> 6 & 0x3F));
        add(0x80 | (point & 0x3F));
    }
}

/// What Windows-1252 has where ISO 8859-1 has control characters (0x80 … 0x9F); 0: nothing.
constexpr std::array<std::uint16_t, 32> kWindows1252{0x20AC, 0,      0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021,
                                                     0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0,      0x017D, 0,
                                                     0,      0x2018, 0x2019, 0x201C, 0x201D, 0x2022, 0x2013, 0x2014,
                                                     0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0,      0x017E, 0x0178};

class Decoder
{
public:
    Decoder(ReadBytes read, Encoding encoding, std::string fileName)
        : m_read(std::move(read)), m_encoding(encoding), m_fileName(std::move(fileName))
    {
    }

    Result<std::size_t> read(char* buffer, std::size_t size)
    {
        while (m_position == m_decoded.size()) {
            std::array<char, kChunkBytes> chunk;
            MR_TRY(const std::size_t count, readFully(m_read, chunk.data(), chunk.size()));
            if (count == 0) return std::size_t{0};
            m_decoded.clear();
            m_position = 0;
            MR_CHECK(m_encoding == Encoding::Windows1252 ? fromWindows({chunk.data(), count})
                                                         : fromUtf16({chunk.data(), count}));
        }
        const std::size_t count = m_decoded.copy(buffer, size, m_position);
        m_position += count;
        return count;
    }

private:
    Status fromWindows(std::string_view bytes)
    {
        for (const char c : bytes) {
            const auto byte = static_cast<unsigned char>(c);
            std::uint32_t point = byte;
            if (byte >= 0x80 && byte < 0xA0) point = kWindows1252[byte - 0x80];
            if (point == 0 && byte != 0) return bad(str("the byte ", byte, " stands for no character of Windows-1252"));
            put(point);
        }
        return {};
    }

    Status fromUtf16(std::string_view bytes)
    {
        for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
            const std::uint32_t first = static_cast<unsigned char>(bytes[i]);
            const std::uint32_t second = static_cast<unsigned char>(bytes[i + 1]);
            MR_CHECK(putUnit(m_encoding == Encoding::Utf16BigEndian ? first << 8 | second : second << 8 | first));
        }
        // only the last chunk is not full; in any other the second half of a pair may follow
        const bool cutOff = bytes.size() % 2 != 0 || m_high;
        if (bytes.size() < kChunkBytes && cutOff) return bad("it ends in the middle of a UTF-16 character");
        return {};
    }

    Status putUnit(std::uint32_t unit)
    {
        const bool high = unit >= 0xD800 && unit < 0xDC00;
        const bool low = unit >= 0xDC00 && unit < 0xE000;
        if (low != m_high.has_value()) return bad("half of a UTF-16 pair stands alone");
        if (high)
            m_high = unit;
        else if (low)
            put(0x10000 + ((*std::exchange(m_high, std::nullopt) - 0xD800) << 10) + (unit - 0xDC00));
        else
            put(unit);
        return {};
    }

    void put(std::uint32_t point)
    {
        appendUtf8(m_decoded, point);
        ++m_column;
        if (point == '\n') {
            ++m_line;
            m_column = 1;
        }
    }

    Error bad(std::string_view what) const
    {
        return makeError(Code::InvalidFormat, str("The text cannot be read: ", what, "."))
            .atFile(m_fileName, m_line, m_column)
            .advise("Save the file as UTF-8.");
    }

    ReadBytes m_read;
    Encoding m_encoding;
    std::string m_fileName;
    std::string m_decoded;
    std::size_t m_position = 0;
    std::optional<std::uint32_t> m_high; ///< the first half of a pair
    long m_line = 1, m_column = 1;
};
} // namespace

Encoding detectEncoding(std::string_view start, std::size_t& markBytes)
{
    markBytes = 0;
    if (start.starts_with("\xEF\xBB\xBF")) {
        markBytes = 3;
    } else if (start.starts_with("\xFF\xFE")) {
        markBytes = 2;
        return Encoding::Utf16LittleEndian;
    } else if (start.starts_with("\xFE\xFF")) {
        markBytes = 2;
        return Encoding::Utf16BigEndian;
    }
    return Encoding::Utf8;
}

ReadBytes decodeText(ReadBytes read, Encoding encoding, const std::string& fileName)
{
    if (encoding == Encoding::Utf8) return read;
    // shared, because std::function must be copyable; only one copy is ever called
    auto decoder = std::make_shared<Decoder>(std::move(read), encoding, fileName);
    return [decoder](char* buffer, std::size_t size) { return decoder->read(buffer, size); };
}

} // namespace millrace::data
