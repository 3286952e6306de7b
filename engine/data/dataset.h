// Rows in memory, with all that a model must carry to take raw rows again: schema and fitted preprocessing.
#pragma once

#include "engine/pipeline/schema.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace millrace::data {

/// One fitted step from raw values to what the model is fed, e.g. scaling or a fill for missing values.
/// JSON form (readable, in the model's description): {"kind": "scale", "offset": […], "factor": […]} …
struct Preprocessing
{
    nlohmann::json steps = nlohmann::json::array();
    bool operator==(const Preprocessing&) const = default;
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

    std::int64_t rows() const;
    std::span<const float> row(std::int64_t index) const;
};

/// Applies fitted preprocessing to raw rows in place. rows × F values.
Status apply(const Preprocessing& preprocessing, const Shape& features, std::span<float> values);

} // namespace millrace::data
