// What flows through a rows port, known before any row is read: the basis of shapes on links, checks and model files.
#pragma once

#include "kernels/base/result.h"
#include "kernels/base/shape.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace millrace::pipeline {

enum class TargetKind
{
    None,
    Classes,
    Number,
    NextToken ///< at each position of a sequence of tokens, the one that follows
};

struct Column
{
    std::string name;
    double minimum = 0, maximum = 0; ///< over the training rows, where known
};

/// Rows of one feature tensor and one target each. A row of tokens is a sequence of whole numbers, {context}.
struct RowsSchema
{
    Shape features;         ///< of one row, channels last for images: {8, 8, 1}; {F} for a table
    std::int64_t rows = -1; ///< -1: not known before it runs
    TargetKind target = TargetKind::None;
    std::string targetName;
    std::vector<std::string> classes; ///< names, index is the label; for TargetKind::Classes
    std::vector<Column> columns;      ///< for a table, one per feature
    bool image = false;               ///< features are {H, W, C}
    std::int64_t vocabulary = 0;      ///< > 0: the features are token ids below it

    bool operator==(const RowsSchema&) const = default;
};
inline bool operator==(const Column& a, const Column& b)
{
    return a.name == b.name && a.minimum == b.minimum && a.maximum == b.maximum;
}

/// How many numbers a model answers for a row (for each token of it, where the next one is the target): one for each
/// class or token, 1 for a number, 0 where that is not known.
std::int64_t answersPerRow(const RowsSchema& schema);

/// How many of the rows data.split gives to training: the fraction rounded to the nearest whole, at least one and at
/// most rows - 1.
std::int64_t trainRows(std::int64_t rows, double fraction);

/// The rows that a language model is trained on: windows of that many of the tokens, whose target is what follows each.
RowsSchema windowsOf(const RowsSchema& tokens, std::int64_t context);

nlohmann::json toJson(const RowsSchema& schema);
/// Errors: InvalidFormat.
Result<RowsSchema> rowsSchemaFromJson(const nlohmann::json& json);

} // namespace millrace::pipeline
