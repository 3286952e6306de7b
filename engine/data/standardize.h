// Zero mean and unit variance, fitted on the training rows alone and recorded as preprocessing.
#pragma once

#include "engine/data/split.h"

namespace millrace::data {

/// The step {"kind": "scale", "offset": […], "factor": […]} fitted on the rows: y = (x - offset) × factor. One pair per
/// feature for a table, one for all pixels of an image (so that neighbours stay comparable and a border that is always
/// empty is not blown up). A constant feature keeps factor 1, so it becomes 0. Errors: InvalidArgument for no rows.
Result<nlohmann::json> fitStandardize(const Dataset& train);

/// The rows after the step. Errors: InvalidArgument where the step does not fit the features.
Result<Dataset> standardized(Dataset rows, const nlohmann::json& step);

/// Both parts after the step fitted on `train`. Errors: InvalidArgument where their features or what was applied to
/// them so far differ.
Result<SplitRows> standardize(Dataset train, Dataset test);

} // namespace millrace::data
