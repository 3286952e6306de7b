// Collects the rows of a source: in memory as long as they are few, else in shards on disk.
#pragma once

#include "engine/data/shard_writer.h"

#include <optional>
#include <string>

namespace millrace::data {

/// Where rows go that take more memory than this.
struct RowsPlace
{
    std::string folder; ///< for shards; empty: all rows stay in memory
    std::uint64_t memoryBytes = 64u << 20;
};

class RowsBuilder
{
public:
    /// `description` says what the rows will be; its schema's number of rows is what is expected, -1: not known.
    /// Errors: those of ShardWriter.
    static Result<RowsBuilder> create(Dataset description, RowsPlace place);

    /// The next rows are appended to these; `keep` is called after one or some of them.
    RowsBuffer& rows() { return m_rows; }
    /// Errors: DiskFull, Io.
    Status keep() { return m_rows.features.size() >= m_keptValues ? writeOut() : Status(); }
    /// The data set with all rows that were kept. Errors: those of writing, and InvalidArgument for no rows on disk.
    Result<Dataset> finish();

private:
    RowsBuilder(Dataset description, RowsPlace place);
    Status writeOut();

    Dataset m_description;
    RowsPlace m_place;
    RowsBuffer m_rows;
    std::size_t m_keptValues; ///< so many features are kept in memory before they are written
    std::optional<ShardWriter> m_writer;
};

} // namespace millrace::data
