#include "engine/data/dataset.h"

#include "kernels/base/text.h"

#include <cmath>

namespace millrace::data {

namespace {
Error badStep(std::string what)
{
    return makeError(Code::InvalidFormat, str("The model's preprocessing cannot be applied: ", what));
}

/// A list of F numbers, or of one that holds for all features. JSON null reads as NaN.
Result<std::vector<float>> numbers(const nlohmann::json& step, const char* key, std::size_t count)
{
    const auto found = step.find(key);
    if (found == step.end() || !found->is_array() || (found->size() != count && found->size() != 1))
        return badStep(str("\"", key, "\" is no list of 1 or ", count, " numbers."));
    std::vector<float> values;
    for (const auto& value : *found) {
        if (!value.is_number()) return badStep(str("\"", key, "\" holds something that is no number."));
        values.push_back(value.get<float>());
    }
    values.resize(count, values.front());
    return values;
}

/// y = (x - offset) × factor
Status scale(const nlohmann::json& step, std::size_t count, std::span<float> values)
{
    MR_TRY(const auto offset, numbers(step, "offset", count));
    MR_TRY(const auto factor, numbers(step, "factor", count));
    for (std::size_t start = 0; start < values.size(); start += count)
        for (std::size_t i = 0; i < count; ++i) values[start + i] = (values[start + i] - offset[i]) * factor[i];
    return {};
}

/// A missing value (NaN) becomes the feature's fill.
Status fill(const nlohmann::json& step, std::size_t count, std::span<float> values)
{
    MR_TRY(const auto fills, numbers(step, "values", count));
    for (std::size_t start = 0; start < values.size(); start += count)
        for (std::size_t i = 0; i < count; ++i)
            if (std::isnan(values[start + i])) values[start + i] = fills[i];
    return {};
}
} // namespace

std::int64_t Dataset::rows() const
{
    const std::int64_t perRow = schema.features.elements();
    return perRow == 0 ? 0 : static_cast<std::int64_t>(features.size()) / perRow;
}

std::span<const float> Dataset::row(std::int64_t index) const
{
    const auto perRow = static_cast<std::size_t>(schema.features.elements());
    return {features.data() + static_cast<std::size_t>(index) * perRow, perRow};
}

Status apply(const Preprocessing& preprocessing, const Shape& features, std::span<float> values)
{
    const auto count = static_cast<std::size_t>(features.elements());
    if (count == 0 || values.size() % count != 0)
        return makeError(Code::InvalidArgument,
                         str(values.size(), " values are no whole rows of ", count, " features."));
    for (const auto& step : preprocessing.steps) {
        const std::string kind = step.is_object() ? step.value("kind", nlohmann::json()).dump() : "null";
        if (kind == "\"scale\"")
            MR_CHECK(scale(step, count, values));
        else if (kind == "\"fill\"")
            MR_CHECK(fill(step, count, values));
        // how text cells become features: done before there are any values, see encode.h
        else if (kind != "\"table\"")
            return badStep(str("the step ", printable(kind), " is not known to this Millrace."));
    }
    return {};
}

} // namespace millrace::data
