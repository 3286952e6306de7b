// The stages that load and prepare rows.
#pragma once

#include "engine/run/stage.h"

#include <memory>
#include <string>

namespace millrace::run {

/// "1,797 rows · 10 classes"
std::string describeRows(const data::Dataset& rows);
/// For a port: several stages may read the same rows.
std::shared_ptr<const data::Dataset> shared(data::Dataset rows);
/// Says what was found out about the rows by a stage.
void emitNewNotes(StageContext& context, const data::Dataset& before, const data::Dataset& after);

/// data.builtin, data.csv, data.idx, data.image_folder: a source's rows.
Result<StageResult> loadData(StageContext& context);
/// data.shards: writes the rows that are linked to it, or reads those of the folder.
Result<StageResult> shardData(StageContext& context);
Result<StageResult> splitData(StageContext& context);
/// data.augment: the rows with a recipe for training.
Result<StageResult> augmentData(StageContext& context);
Result<StageResult> sampleData(StageContext& context);
Result<StageResult> cleanData(StageContext& context);
Result<StageResult> encodeData(StageContext& context);
/// data.standardize, data.scale.
Result<StageResult> scaleData(StageContext& context);

} // namespace millrace::run
