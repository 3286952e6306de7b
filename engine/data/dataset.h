// Rows, in memory or on disk, with all that a model must carry to take raw rows again: schema and fitted preprocessing.
#pragma once

#include "engine/data/preprocessing.h"
#include "engine/pipeline/schema.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace millrace::data {

class StoredRows;

/// Rows that lie together in memory. Whoever hands them out says how long the spans stay valid.
struct Batch
{
    std::int64_t rows = 0;
    std::span<const float> features;      ///< rows × schema.features.elements()
    std::span<const std::int32_t> labels; ///< rows; empty without classes
    std::span<const float> targets;       ///< rows, in the target's unit; empty where the target is no number
};

/// Where rows are read into; used again and again, so that reading allocates once.
struct RowsBuffer
{
    std::vector<float> features;
    std::vector<std::int32_t> labels;
    std::vector<float> targets;

    Batch view(std::int64_t rows) const { return {rows, features, labels, targets}; }
};

struct Dataset
{
    pipeline::RowsSchema schema;
    Preprocessing preprocessing;      ///< what was already applied to `features`
    std::vector<float> features;      ///< rows × schema.features.elements(), row-major
    std::vector<std::int32_t> labels; ///< rows, for TargetKind::Classes
    std::vector<float> targets;       ///< rows, for TargetKind::Number
    nlohmann::json augmentation;      ///< how training changes images each time anew; null: not at all
    std::vector<std::string> notes;   ///< what a user should know: "12 missing values filled with the column's median"
    /// The rows where they do not fit into memory; the three vectors are then empty. Shared, because the parts of a
    /// split are views of the same files.
    std::shared_ptr<const StoredRows> stored;

    std::int64_t rows() const;
    /// A row in memory.
    std::span<const float> row(std::int64_t index) const;

    /// The rows in pieces that fit into memory, in their order: rows in memory are one block.
    std::int64_t blocks() const;
    std::int64_t rowsOfBlock(std::int64_t block) const;
    /// A block with all its preprocessing applied. Rows in memory are viewed, others are read into the buffer.
    /// May be called from several threads, each with its own buffer. Errors: Io, Corrupt (damaged, or changed
    /// since it was opened).
    Result<Batch> block(std::int64_t block, RowsBuffer& buffer) const;
};

/// Calls the function with all rows, block by block in their order. Errors: Cancelled, those of reading and its own.
Status forEachBlock(const Dataset& rows, std::stop_token stop, const std::function<Status(const Batch&)>& function);

/// The rows for which `keep` holds, in their order. Rows on disk stay there: only the choice is remembered.
Dataset select(const Dataset& rows, const std::vector<bool>& keep);

/// A copy with all rows in memory. Errors: those of reading.
Result<Dataset> inMemory(const Dataset& rows);

/// The rows after more steps: applied at once in memory, else whenever the rows are read.
Result<Dataset> prepared(Dataset rows, const nlohmann::json& steps);

/// The description of rows that is kept beside their values: schema, preprocessing, augmentation, notes.
nlohmann::json describe(const Dataset& rows);
/// A data set as described, without rows. Errors: InvalidFormat.
Result<Dataset> fromDescription(const nlohmann::json& description);

} // namespace millrace::data
