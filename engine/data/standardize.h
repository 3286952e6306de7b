// Steps that are fitted on the training rows alone and travel with the model: a fill for missing values, and scaling.
#pragma once

#include "engine/data/split.h"

#include <optional>
#include <stop_token>
#include <string_view>

namespace millrace::data {

enum class ScaleMethod
{
    Standard, ///< mean 0, deviation 1
    MinMax,   ///< 0 … 1
    Robust    ///< median 0, the middle half of the values 1 wide
};
/// Nothing for a name that is none of standard, min_max and robust.
std::optional<ScaleMethod> scaleMethod(std::string_view name);

/// The step {"kind": "scale", "offset": […], "factor": […]} fitted on the rows: y = (x - offset) × factor. One pair per
/// feature for a table, one for all pixels of an image (so that neighbours stay comparable and a border that is always
/// empty is not blown up). A constant feature keeps factor 1, so it becomes 0. Errors: InvalidArgument for no rows.
Result<nlohmann::json> fitScale(const Dataset& train, ScaleMethod method, std::stop_token stop = {});

enum class FillMethod
{
    Mean,
    Median,
    Mode,
    Constant
};
struct Fill
{
    nlohmann::json step;            ///< {"kind": "fill", "values": […]}
    std::vector<std::string> notes; ///< what was missing, and what stands for it
};
/// A value for what is missing in each feature; 0 for the features of a category, whose missing text is none of them.
Result<Fill> fitFill(const Dataset& train, FillMethod method, float constant, std::stop_token stop = {});

/// Both parts after the steps. `test` may be null. Errors: InvalidArgument where their features or what was applied to
/// them so far differ.
Result<SplitRows> preparedAlike(Dataset train, const Dataset* test, const nlohmann::json& steps);

/// Whether rows may lack values about which nothing was decided yet: those of a table without a fill.
bool lacksFill(const Dataset& rows);
/// Where `lacksFill` holds for the training rows, their medians stand for what is missing in both parts; a model then
/// takes rows with missing values, too.
Result<SplitRows> filled(Dataset train, const Dataset* test, std::stop_token stop = {});

/// Both parts filled and scaled.
Result<SplitRows> scaled(Dataset train, const Dataset* test, ScaleMethod method, std::stop_token stop = {});

} // namespace millrace::data
