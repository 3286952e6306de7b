#include "engine/data/shard_format.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <bit>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace millrace::data {

static_assert(std::endian::native == std::endian::little, "shards are written as they lie in memory");

namespace {
constexpr std::size_t kChecksumBytes = 8;

Error refuse(Code code, std::string what, const std::string& fileName)
{
    return makeError(code, std::move(what)).atFile(fileName);
}
Error damaged(const std::string& what, const std::string& fileName)
{
    return refuse(Code::Corrupt, what, fileName).advise("The file is damaged or cut off; write it again.");
}

/// Takes numbers from the front of bytes that are known to suffice.
class Cursor
{
public:
    explicit Cursor(std::string_view bytes) : m_bytes(bytes) {}
    template <class T> T take()
    {
        T value{};
        std::memcpy(&value, m_bytes.data(), sizeof value);
        m_bytes.remove_prefix(sizeof value);
        return value;
    }

private:
    std::string_view m_bytes;
};

template <class T> void put(char*& at, T value)
{
    std::memcpy(at, &value, sizeof value);
    at += sizeof value;
}

Status checkSizes(const ShardHeader& header, std::uint64_t fileBytes, const std::string& fileName)
{
    const auto refuseSizes = [&](const std::string& what) { return refuse(Code::InvalidFormat, what, fileName); };
    if (header.blockRows == 0 || header.rowValues == 0 || header.rows == 0)
        return refuseSizes("The header states no rows, or rows without values.");
    if (header.target > ShardTarget::Numbers)
        return refuseSizes(
            str("The header states the unknown kind of target ", static_cast<unsigned>(header.target), "."));
    if (header.blockRows > ShardLimits::kBlockBytes / header.rowBytes())
        return refuse(Code::TooLarge,
                      str("The header states blocks of ", header.blockRows, " rows of ", header.rowBytes(),
                          " bytes; a block has at most ", formatBytes(static_cast<double>(ShardLimits::kBlockBytes)),
                          "."),
                      fileName);
    if (header.footerBytes > ShardLimits::kFooterBytes)
        return refuse(Code::TooLarge, str("The header states a footer of ", header.footerBytes, " bytes."), fileName);
    // rows × row bytes cannot wrap once it is known to be at most what the file has
    if (header.rows > fileBytes / header.rowBytes() ||
        header.footerOffset != kShardHeaderBytes + header.rows * header.rowBytes() || header.footerOffset > fileBytes ||
        header.footerBytes != fileBytes - header.footerOffset)
        return damaged(str("The header states ", header.rows, " rows of ", header.rowBytes(), " bytes and a footer of ",
                           header.footerBytes, " bytes, but the file has ", fileBytes, " bytes."),
                       fileName);
    if (header.footerBytes < (header.blocks() + 1) * kChecksumBytes)
        return refuseSizes("The footer has no room for the blocks' checksums.");
    return {};
}
} // namespace

std::uint64_t shardChecksum(std::string_view bytes, std::string_view more)
{
    XXH3_state_t state;
    XXH3_64bits_reset(&state);
    XXH3_64bits_update(&state, bytes.data(), bytes.size());
    if (!more.empty()) XXH3_64bits_update(&state, more.data(), more.size());
    return XXH3_64bits_digest(&state);
}

std::array<std::uint64_t, 2> shardFingerprint(std::string_view bytes)
{
    const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
    return {hash.low64, hash.high64};
}

std::array<char, kShardHeaderBytes> ShardHeader::toBytes() const
{
    std::array<char, kShardHeaderBytes> bytes{};
    char* at = bytes.data();
    std::memcpy(at, kShardMagic.data(), kShardMagic.size());
    at += kShardMagic.size();
    put(at, kShardVersion);
    put(at, static_cast<std::uint32_t>(kShardHeaderBytes));
    put(at, rows);
    put(at, blockRows);
    put(at, rowValues);
    put(at, static_cast<std::uint32_t>(target));
    put(at, number);
    put(at, footerOffset);
    put(at, footerBytes);
    put(at, shardChecksum({bytes.data(), bytes.size() - kChecksumBytes}));
    return bytes;
}

Result<ShardHeader> ShardHeader::fromBytes(std::string_view bytes, std::uint64_t fileBytes, const std::string& fileName)
{
    if (bytes.size() < kShardHeaderBytes || !bytes.starts_with(kShardMagic))
        return refuse(Code::InvalidFormat, "The file does not begin as a shard of rows does.", fileName)
            .advise("Shards (*.mrs) are written by the node Shards.");
    Cursor cursor(bytes.substr(kShardMagic.size()));
    const auto version = cursor.take<std::uint32_t>();
    const auto headerBytes = cursor.take<std::uint32_t>();
    if (version > kShardVersion)
        return refuse(Code::NewerFormat,
                      str("The shard has version ", version, "; this Millrace reads version ", kShardVersion, "."),
                      fileName)
            .advise("Open it with a newer Millrace.");
    if (version != kShardVersion || headerBytes != kShardHeaderBytes)
        return refuse(Code::InvalidFormat, "The shard's header has a wrong version or size.", fileName);
    ShardHeader header;
    header.rows = cursor.take<std::uint64_t>();
    header.blockRows = cursor.take<std::uint32_t>();
    header.rowValues = cursor.take<std::uint32_t>();
    header.target = static_cast<ShardTarget>(cursor.take<std::uint32_t>());
    header.number = cursor.take<std::uint32_t>();
    header.footerOffset = cursor.take<std::uint64_t>();
    header.footerBytes = cursor.take<std::uint64_t>();
    if (cursor.take<std::uint64_t>() != shardChecksum(bytes.substr(0, kShardHeaderBytes - kChecksumBytes)))
        return damaged("The shard's header does not match its checksum.", fileName);
    MR_CHECK(checkSizes(header, fileBytes, fileName));
    return header;
}

std::string ShardFooter::toBytes() const
{
    std::string bytes(reinterpret_cast<const char*>(checksums.data()), checksums.size() * kChecksumBytes);
    bytes += description.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    const std::uint64_t checksum = shardChecksum(bytes);
    bytes.append(reinterpret_cast<const char*>(&checksum), kChecksumBytes);
    return bytes;
}

Result<ShardFooter> ShardFooter::fromBytes(std::string_view bytes, std::uint64_t blocks, const std::string& fileName)
{
    if (bytes.size() < kChecksumBytes || blocks > bytes.size() / kChecksumBytes - 1)
        return damaged("The shard's footer is cut off.", fileName);
    const std::string_view content = bytes.substr(0, bytes.size() - kChecksumBytes);
    if (Cursor(bytes.substr(content.size())).take<std::uint64_t>() != shardChecksum(content))
        return damaged("The shard's footer does not match its checksum.", fileName);
    ShardFooter footer;
    footer.checksums.resize(blocks);
    std::memcpy(footer.checksums.data(), content.data(), blocks * kChecksumBytes);
    footer.description = nlohmann::json::parse(content.substr(blocks * kChecksumBytes), nullptr, false);
    if (footer.description.is_discarded() || !footer.description.is_object())
        return refuse(Code::InvalidFormat, "The shard's description is no JSON object.", fileName);
    return footer;
}

} // namespace millrace::data
