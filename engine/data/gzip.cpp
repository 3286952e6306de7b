#include "engine/data/gzip.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <memory>
#include <vector>
#include <zlib.h>

namespace millrace::data {

namespace {
constexpr std::size_t kChunkBytes = 64u << 10;
constexpr int kGzipWindow = 15 + 16; ///< zlib: the largest window, and a gzip header

class Unpacker
{
public:
    Unpacker(ReadBytes packed, std::string fileName)
        : m_packed(std::move(packed)), m_fileName(std::move(fileName)), m_input(kChunkBytes)
    {
        m_ready = inflateInit2(&m_stream, kGzipWindow) == Z_OK;
    }
    ~Unpacker() { inflateEnd(&m_stream); }
    Unpacker(const Unpacker&) = delete;
    Unpacker& operator=(const Unpacker&) = delete;

    Result<std::size_t> read(char* buffer, std::size_t size)
    {
        if (!m_ready) return makeError(Code::OutOfMemory, "There is no memory to unpack the file.").atFile(m_fileName);
        m_stream.next_out = reinterpret_cast<Bytef*>(buffer);
        m_stream.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1u << 30));
        const uInt wanted = m_stream.avail_out;
        while (m_stream.avail_out == wanted && wanted > 0) {
            MR_TRY(const bool more, refill());
            if (!more) break;
            MR_CHECK(step());
        }
        m_unpackedBytes += wanted - m_stream.avail_out;
        MR_CHECK(checkLimits());
        return static_cast<std::size_t>(wanted - m_stream.avail_out);
    }

private:
    /// Whether there is anything left to unpack.
    Result<bool> refill()
    {
        if (m_stream.avail_in > 0) return true;
        MR_TRY(const std::size_t count, m_packed(m_input.data(), m_input.size()));
        if (count == 0) {
            if (m_insideMember) return damaged("it ends in the middle of the packed data");
            return false;
        }
        m_packedBytes += count;
        m_stream.next_in = reinterpret_cast<Bytef*>(m_input.data());
        m_stream.avail_in = static_cast<uInt>(count);
        return true;
    }

    Status step()
    {
        m_insideMember = true;
        const int code = inflate(&m_stream, Z_NO_FLUSH);
        if (code == Z_STREAM_END) {
            m_insideMember = false;
            inflateReset(&m_stream);
        } else if (code != Z_OK && code != Z_BUF_ERROR) {
            return damaged(m_stream.msg != nullptr ? m_stream.msg : "the packed data are not valid");
        }
        return {};
    }

    Status checkLimits() const
    {
        if (m_unpackedBytes > GzipLimits::kFreeBytes + GzipLimits::kRatio * m_packedBytes)
            return makeError(Code::TooLarge, str("The gzip file unpacks to more than ", GzipLimits::kRatio,
                                                 " times its size, as a file made to fill the memory does."))
                .atFile(m_fileName)
                .advise("If it is what it should be, unpack it first and use the unpacked file.");
        if (m_unpackedBytes > GzipLimits::kUnpackedBytes)
            return makeError(Code::TooLarge, str("The gzip file unpacks to more than ",
                                                 formatBytes(static_cast<double>(GzipLimits::kUnpackedBytes)), "."))
                .atFile(m_fileName);
        return {};
    }

    Error damaged(std::string_view how) const
    {
        return makeError(Code::Corrupt, str("The gzip file is damaged: ", how, "."))
            .atFile(m_fileName)
            .advise("Get the file again.");
    }

    ReadBytes m_packed;
    std::string m_fileName;
    std::vector<char> m_input;
    z_stream m_stream{};
    bool m_ready = false;
    bool m_insideMember = false;
    std::uint64_t m_packedBytes = 0, m_unpackedBytes = 0;
};
} // namespace

bool isGzip(std::string_view start)
{
    return start.size() >= 2 && start[0] == '\x1F' && start[1] == '\x8B';
}

ReadBytes unpackGzip(ReadBytes packed, const std::string& fileName)
{
    // shared, because std::function must be copyable; only one copy is ever called
    auto unpacker = std::make_shared<Unpacker>(std::move(packed), fileName);
    return [unpacker](char* buffer, std::size_t size) { return unpacker->read(buffer, size); };
}

} // namespace millrace::data
