// Rows without what would mislead a model: duplicates, missing values, outliers.
#pragma once

#include "engine/data/standardize.h"

#include <optional>

namespace millrace::data {

enum class Outliers
{
    Keep,
    Drop, ///< the whole row
    Clip  ///< to the end of the range; a fitted step, so that a model does it too
};

struct CleanOptions
{
    std::optional<FillMethod> fill = FillMethod::Median; ///< nothing: rows with a missing value are left out
    float constant = 0;                                  ///< for FillMethod::Constant
    bool dropDuplicates = false;                         ///< the first of equal rows stays
    Outliers outliers = Outliers::Keep;
    double range = 4; ///< deviations from the mean beyond which a number is an outlier
};

/// First duplicates are dropped, then rows with missing values or outliers, then what is missing is filled. Mean,
/// deviation and fill are those of `rows` alone; `test` (may be null) is treated by them, and loses those of its rows
/// that occur in `rows`. What was done is added to the notes. Errors: InvalidArgument (nothing is left, or the parts do
/// not come from the same source), and those of reading.
Result<SplitRows> clean(const Dataset& rows, const Dataset* test, const CleanOptions& options,
                        std::stop_token stop = {});

} // namespace millrace::data
