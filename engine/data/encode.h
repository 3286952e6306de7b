// A raw row, as a user types it or draws it, becomes what the model is fed: the same steps as at training.
#pragma once

#include "engine/data/dataset.h"

#include <span>
#include <string>
#include <string_view>

namespace millrace::data {

/// Features of one raw row of text cells. For a table that came from a CSV file the cells are those of that file's
/// columns, with or without the target; text columns, fills and scales are applied as fitted. Otherwise one number a
/// feature. Errors: InvalidArgument naming the column, the value and what is allowed.
Result<std::vector<float>> encodeRow(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing,
                                     std::span<const std::string> cells);

/// The same for one line of CSV text; the separator may be any that data.csv reads.
Result<std::vector<float>> encodeLine(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing,
                                      std::string_view line);

/// The same for raw numbers, one a feature (one a pixel for an image; NaN is a missing value).
Result<std::vector<float>> encodeNumbers(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing,
                                         std::span<const float> values);

/// Names of the raw columns that a row must give, in order: for a table those of its file without the target.
std::vector<std::string> rawColumns(const pipeline::RowsSchema& schema, const Preprocessing& preprocessing);

/// The range of raw pixel values, black to full ink: {0, 16} for the built-in digits, {0, 255} for IDX images.
struct ValueRange
{
    float minimum = 0, maximum = 1;
};
ValueRange rawRange(const Preprocessing& preprocessing);

} // namespace millrace::data
