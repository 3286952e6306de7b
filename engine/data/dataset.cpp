#include "engine/data/dataset.h"

#include "engine/data/stored_rows.h"
#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::data {

std::int64_t Dataset::rows() const
{
    if (stored) return stored->rows();
    const std::int64_t perRow = schema.features.elements();
    return perRow == 0 ? 0 : static_cast<std::int64_t>(features.size()) / perRow;
}

std::span<const float> Dataset::row(std::int64_t index) const
{
    const auto perRow = static_cast<std::size_t>(schema.features.elements());
    return {features.data() + static_cast<std::size_t>(index) * perRow, perRow};
}

std::int64_t Dataset::blocks() const
{
    return stored ? stored->blocks() : rows() > 0 ? 1 : 0;
}

std::int64_t Dataset::rowsOfBlock(std::int64_t block) const
{
    return stored ? stored->rowsOfBlock(block) : rows();
}

Result<Batch> Dataset::block(std::int64_t block, RowsBuffer& buffer) const
{
    if (!stored) return Batch{rows(), features, labels, targets};
    MR_CHECK(stored->readBlock(block, buffer));
    const Dataset& onDisk = stored->shards()->description();
    Preprocessing late;
    for (std::size_t i = onDisk.preprocessing.steps.size(); i < preprocessing.steps.size(); ++i)
        late.steps.push_back(preprocessing.steps[i]);
    MR_CHECK(apply(late, onDisk.schema.features.elements(), buffer.features));
    return buffer.view(stored->rowsOfBlock(block));
}

Status forEachBlock(const Dataset& rows, std::stop_token stop, const std::function<Status(const Batch&)>& function)
{
    RowsBuffer buffer;
    for (std::int64_t block = 0; block < rows.blocks(); ++block) {
        if (stop.stop_requested()) return makeError(Code::Cancelled, "Reading the rows was cancelled.");
        if (rows.rowsOfBlock(block) == 0) continue;
        MR_TRY(const Batch batch, rows.block(block, buffer));
        MR_CHECK(function(batch));
    }
    return {};
}

Dataset select(const Dataset& rows, const std::vector<bool>& keep)
{
    Dataset part;
    part.schema = rows.schema;
    part.schema.rows = std::count(keep.begin(), keep.end(), true);
    part.preprocessing = rows.preprocessing;
    part.augmentation = rows.augmentation;
    part.notes = rows.notes;
    if (rows.stored) {
        part.stored = std::make_shared<const StoredRows>(rows.stored->select(keep));
        return part;
    }
    part.features.reserve(static_cast<std::size_t>(part.schema.rows * rows.schema.features.elements()));
    for (std::size_t index = 0; index < keep.size(); ++index) {
        if (!keep[index]) continue;
        const auto row = rows.row(static_cast<std::int64_t>(index));
        part.features.insert(part.features.end(), row.begin(), row.end());
        if (!rows.labels.empty()) part.labels.push_back(rows.labels[index]);
        if (!rows.targets.empty()) part.targets.push_back(rows.targets[index]);
    }
    return part;
}

Result<Dataset> inMemory(const Dataset& rows)
{
    Dataset copy = rows;
    copy.stored = nullptr;
    if (!rows.stored) return copy;
    MR_CHECK(forEachBlock(rows, {}, [&](const Batch& batch) -> Status {
        copy.features.insert(copy.features.end(), batch.features.begin(), batch.features.end());
        copy.labels.insert(copy.labels.end(), batch.labels.begin(), batch.labels.end());
        copy.targets.insert(copy.targets.end(), batch.targets.begin(), batch.targets.end());
        return {};
    }));
    return copy;
}

Result<Dataset> prepared(Dataset rows, const nlohmann::json& steps)
{
    Preprocessing added{steps};
    if (!rows.stored) MR_CHECK(apply(added, rows.schema.features.elements(), rows.features));
    for (const auto& step : steps) {
        MR_CHECK(describeStep(step, rows.schema));
        rows.preprocessing.steps.push_back(step);
    }
    return rows;
}

nlohmann::json describe(const Dataset& rows)
{
    nlohmann::json description = {
        {"schema", pipeline::toJson(rows.schema)}, {"preprocessing", rows.preprocessing.steps}, {"notes", rows.notes}};
    if (!rows.augmentation.is_null()) description["augmentation"] = rows.augmentation;
    return description;
}

Result<Dataset> fromDescription(const nlohmann::json& description)
{
    try {
        Dataset rows;
        MR_TRY(rows.schema, pipeline::rowsSchemaFromJson(description.at("schema")));
        rows.preprocessing.steps = description.at("preprocessing");
        if (!rows.preprocessing.steps.is_array())
            return makeError(Code::InvalidFormat, "The rows' preprocessing is no list of steps.");
        rows.notes = description.at("notes").get<std::vector<std::string>>();
        rows.augmentation = description.value("augmentation", nlohmann::json());
        return rows;
    } catch (const nlohmann::json::exception& exception) {
        return makeError(Code::InvalidFormat, str("The rows' description cannot be read: ", exception.what()));
    }
}

} // namespace millrace::data
