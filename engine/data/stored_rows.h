// Rows that stay on disk: a choice among the rows of a set of shards.
#pragma once

#include "engine/data/shard_reader.h"

#include <memory>
#include <vector>

namespace millrace::data {

class StoredRows
{
public:
    /// All rows of the shards.
    explicit StoredRows(std::shared_ptr<const ShardSet> shards) : StoredRows(std::move(shards), {}) {}
    /// Those of the shards' rows for which `chosen` holds; all where it is empty.
    StoredRows(std::shared_ptr<const ShardSet> shards, std::vector<bool> chosen);

    const std::shared_ptr<const ShardSet>& shards() const { return m_shards; }
    const std::vector<bool>& chosen() const { return m_chosen; }
    std::int64_t rows() const { return m_before.back(); }
    std::int64_t blocks() const { return m_shards->blocks(); }
    std::int64_t rowsOfBlock(std::int64_t block) const;
    /// The chosen rows of a block, as they lie in the shards. Thread-safe. Errors: Io, Corrupt.
    Status readBlock(std::int64_t block, RowsBuffer& buffer) const;
    /// A choice among these rows.
    StoredRows select(const std::vector<bool>& keep) const;

private:
    std::shared_ptr<const ShardSet> m_shards; // shared by all choices among its rows
    std::vector<bool> m_chosen;
    std::vector<std::int64_t> m_before; ///< chosen rows before each block, and in all
    std::vector<std::int64_t> m_first;  ///< row of the shards with which each block begins
};

} // namespace millrace::data
