// What is learned from rows before a model sees them: moments, quantiles, ranges and modes of their features, in passes
// over the rows with bounded memory. A missing value (NaN) counts nowhere.
#pragma once

#include "engine/data/dataset.h"

#include <span>
#include <stop_token>
#include <vector>

namespace millrace::data {

/// One figure a column, for each column of features; an image's values are one column.
std::size_t fittedColumns(const pipeline::RowsSchema& schema);
/// All of these, and those of them that are numbers of a table, not texts of a category.
std::vector<std::size_t> allColumns(const pipeline::RowsSchema& schema);
Result<std::vector<std::size_t>> numberColumns(const Dataset& rows);

/// Mean and population deviation, by two passes in double. Both 0 where a column has no value.
struct Moments
{
    std::vector<double> mean, deviation;
};
Result<Moments> fitMoments(const Dataset& rows, std::stop_token stop = {});

/// Least and largest value; 0 and 0 where a column has no value.
struct Ranges
{
    std::vector<float> minimum, maximum;
};
Result<Ranges> fitRanges(const Dataset& rows, std::stop_token stop = {});

/// The quantiles of the given columns, [column][fraction], exactly, with linear interpolation between two values.
/// 0 where a column has no value. Found digit by digit: three passes with a small table a column.
Result<std::vector<std::vector<double>>> fitQuantiles(const Dataset& rows, std::span<const std::size_t> columns,
                                                      std::span<const double> fractions, std::stop_token stop = {});

/// The value that occurs most often, the least of several. Errors: TooLarge for a column of more than a million
/// different values.
Result<std::vector<float>> fitModes(const Dataset& rows, std::span<const std::size_t> columns,
                                    std::stop_token stop = {});

/// How many values of each column are missing.
Result<std::vector<std::int64_t>> countMissing(const Dataset& rows, std::stop_token stop = {});

/// How many rows each class has; one number, all rows, where the target is not classes.
Result<std::vector<std::int64_t>> countClasses(const Dataset& rows, std::stop_token stop = {});

} // namespace millrace::data
