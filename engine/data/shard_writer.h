// Writes rows as a folder of shards that is there only when it is whole.
#pragma once

#include "engine/data/dataset.h"
#include "engine/data/shard_format.h"
#include "kernels/base/files.h"

#include <optional>
#include <string>
#include <vector>

namespace millrace::data {

struct ShardSizes
{
    std::uint64_t blockBytes = 1u << 20; ///< at least one row
    std::uint64_t shardBytes = 1u << 30; ///< a shard ends with the block that reaches it
};

class ShardWriter
{
public:
    /// Starts in a temporary folder beside `folder`. `description` holds no rows: its schema and preprocessing say
    /// what those are that will be added. Errors: Permission, DiskFull, Io.
    static Result<ShardWriter> create(const std::string& folder, const Dataset& description, ShardSizes sizes = {});
    ShardWriter(ShardWriter&&) noexcept = default;
    /// What is not finished is removed.
    ~ShardWriter();

    /// Errors: DiskFull, Io, TooLarge (more shards than a folder may have).
    Status add(const Batch& rows);
    /// Puts the folder in its place; one of ours that is there is replaced. With `durable`, through a power cut.
    /// Errors: as `add`; AlreadyExists where something else has that name; InvalidArgument for no rows.
    Status finish(bool durable);

private:
    ShardWriter() = default;
    Status writeBlock();
    Status beginShard();
    Status endShard(bool durable);

    std::string m_folder, m_temporary; ///< m_temporary is empty once it is finished
    ShardSizes m_sizes;
    ShardHeader m_header;
    ShardFooter m_footer;
    RowsBuffer m_block;
    std::optional<FileHandle> m_file;
    std::uint64_t m_written = 0; ///< bytes of the present shard
    std::vector<std::string> m_names;
    bool m_durable = false;
};

/// Writes all rows of a data set as such a folder. Errors: those of reading and writing; Cancelled.
Status writeShards(const Dataset& rows, const std::string& folder, ShardSizes sizes, std::stop_token stop);

} // namespace millrace::data
