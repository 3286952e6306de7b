// Reads shards of rows: one *.mrs file, or a folder of them, block by block and from several threads.
#pragma once

#include "engine/data/dataset.h"
#include "engine/data/shard_format.h"
#include "kernels/base/files.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace millrace::data {

/// Called before each read with the file's name; an error it returns is treated as that read's failure. For tests of
/// disks that fail or stall.
using BeforeRead = std::function<Status(const std::string& file)>;

class ShardSet
{
public:
    /// Opens all files and checks headers and footers, not yet the blocks. Shared, because every part of a split reads
    /// from the same one. Errors: NotFound, InvalidFormat, NewerFormat, Corrupt, TooLarge, Permission, Io.
    static Result<std::shared_ptr<const ShardSet>> open(const std::string& path, BeforeRead beforeRead = {});

    const std::string& path() const { return m_path; }
    /// What the rows are; without rows of its own.
    const Dataset& description() const { return m_description; }
    std::int64_t rows() const { return m_rows; }
    std::int64_t blocks() const { return static_cast<std::int64_t>(m_blocks.size()); }
    std::int64_t rowsOfBlock(std::int64_t block) const { return m_blocks[static_cast<std::size_t>(block)].rows; }
    std::uint64_t sizeBytes() const { return m_sizeBytes; }
    /// A hash of headers and footers, and so of every block: other rows have another.
    const std::string& contentHash() const { return m_contentHash; }

    /// Reads a block and checks it. A read that fails is tried again twice. Thread-safe.
    /// Errors: Io, Corrupt (damaged, or the file changed since it was opened).
    Status readBlock(std::int64_t block, RowsBuffer& buffer) const;

private:
    struct Shard
    {
        FileHandle file;
        ShardHeader header;
        std::vector<std::uint64_t> checksums;
        std::int64_t sizeBytes = 0, changedSeconds = 0, changedNanoseconds = 0;
    };
    struct Block
    {
        std::size_t shard = 0;
        std::uint64_t number = 0; ///< in its shard
        std::int64_t rows = 0;
    };

    ShardSet() = default;
    Status openShard(const std::string& path, std::string& hashes);
    Status listBlocks();
    Status checkUnchanged(const Shard& shard) const;
    Status readBytes(const Shard& shard, std::uint64_t offset, char* into, std::size_t size) const;

    std::string m_path;
    BeforeRead m_beforeRead;
    std::vector<Shard> m_shards;
    std::vector<Block> m_blocks;
    Dataset m_description;
    std::int64_t m_rows = 0;
    std::uint64_t m_sizeBytes = 0;
    std::string m_contentHash;
};

/// The data set of those shards: in memory where it takes at most so many bytes, else read as it is needed.
Result<Dataset> openShards(const std::string& path, std::uint64_t memoryBytes);

} // namespace millrace::data
