// Millrace's own file of rows (*.mrs): blocks that can be read one by one, each with a checksum. Little-endian.
//
//   header   64 bytes: see ShardHeader; the last 8 are the XXH3 of those before
//   blocks   one after the other: the features of its rows (f32, row-major), then their labels (i32) or targets (f32);
//            every block has the same number of rows, but the shard's last one may have fewer
//   footer   the XXH3 of each block (8 bytes each), the description (JSON), the XXH3 of the footer so far
//
// A folder of such files with the list index.json holds rows that go on from file to file. The description is that of
// the data set: schema, the preprocessing that was applied to the rows, and notes.
#pragma once

#include "kernels/base/result.h"

#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::data {

inline constexpr std::string_view kShardMagic = "MRSHARD\n";
inline constexpr std::uint32_t kShardVersion = 1;
inline constexpr std::size_t kShardHeaderBytes = 64;
inline constexpr std::string_view kShardIndexName = "index.json";
inline constexpr std::string_view kShardIndexFormat = "millrace-rows/1";

struct ShardLimits
{
    static constexpr std::uint64_t kBlockBytes = 1ull << 30;
    static constexpr std::uint64_t kFooterBytes = 256ull << 20;
    static constexpr std::size_t kShards = 512; ///< of one folder; all are kept open
};

enum class ShardTarget : std::uint32_t
{
    None = 0,
    Labels = 1, ///< i32
    Numbers = 2 ///< f32
};

struct ShardHeader
{
    std::uint64_t rows = 0;
    std::uint32_t blockRows = 1;
    std::uint32_t rowValues = 0; ///< features of a row
    ShardTarget target = ShardTarget::None;
    std::uint32_t number = 0; ///< of this shard among those of its folder, from 0
    std::uint64_t footerOffset = 0, footerBytes = 0;

    std::uint64_t rowBytes() const { return 4ull * rowValues + (target == ShardTarget::None ? 0 : 4); }
    std::uint64_t blocks() const { return (rows + blockRows - 1) / blockRows; }

    std::array<char, kShardHeaderBytes> toBytes() const;
    /// Sizes are checked against each other and against the file's before anything is allocated by them.
    /// Errors: InvalidFormat (magic, sizes), NewerFormat, Corrupt (checksum, cut off).
    static Result<ShardHeader> fromBytes(std::string_view bytes, std::uint64_t fileBytes, const std::string& fileName);
};

struct ShardFooter
{
    std::vector<std::uint64_t> checksums; ///< one a block
    nlohmann::json description;

    std::string toBytes() const;
    /// Errors: Corrupt (checksum), InvalidFormat (description).
    static Result<ShardFooter> fromBytes(std::string_view bytes, std::uint64_t blocks, const std::string& fileName);
};

/// XXH3, 64 bits, of the bytes of both one after the other. Source: Y. Collet, xxHash, doc/xxhash_spec.md.
std::uint64_t shardChecksum(std::string_view bytes, std::string_view more = {});
/// XXH3, 128 bits: equal for equal bytes, and for no other bytes that will ever be met by chance.
std::array<std::uint64_t, 2> shardFingerprint(std::string_view bytes);

} // namespace millrace::data
