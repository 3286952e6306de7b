// Fitted steps from raw values to what a model is fed. They travel with the model as JSON, in the order in which they
// apply; the kinds are listed in the README.
#pragma once

#include "engine/pipeline/schema.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

namespace millrace::data {

/// JSON form of a step (readable, in the model's description): {"kind": "scale", "offset": […], "factor": […]} …
struct Preprocessing
{
    nlohmann::json steps = nlohmann::json::array();
    bool operator==(const Preprocessing&) const = default;

    bool has(std::string_view kind) const;
};

/// Applies the steps to raw rows, of `count` values each; a step may change how many a row has.
/// Errors: InvalidArgument (no whole rows), InvalidFormat (a step that is not known or does not fit).
Status apply(const Preprocessing& preprocessing, std::int64_t count, std::vector<float>& values);

/// How many values a row has before the steps, if it has `after` of them after these.
std::int64_t valuesBefore(const Preprocessing& preprocessing, std::int64_t after);

/// The schema after a step: features and their columns where the step changes these. Errors: InvalidFormat.
Status describeStep(const nlohmann::json& step, pipeline::RowsSchema& schema);

} // namespace millrace::data
