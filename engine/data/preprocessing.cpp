#include "engine/data/preprocessing.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <string>

namespace millrace::data {

namespace {
Error badStep(std::string what)
{
    return makeError(Code::InvalidFormat, str("The model's preprocessing cannot be applied: ", what));
}

std::string kindOf(const nlohmann::json& step)
{
    const auto kind = step.is_object() ? step.find("kind") : step.end();
    return step.is_object() && kind != step.end() && kind->is_string() ? kind->get<std::string>() : std::string();
}

/// A list of `count` numbers, or of one that holds for all features.
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

/// y = min(max(x, minimum), maximum); a missing value stays missing.
Status clip(const nlohmann::json& step, std::size_t count, std::span<float> values)
{
    MR_TRY(const auto minimum, numbers(step, "minimum", count));
    MR_TRY(const auto maximum, numbers(step, "maximum", count));
    for (std::size_t start = 0; start < values.size(); start += count)
        for (std::size_t i = 0; i < count; ++i) {
            if (values[start + i] < minimum[i]) values[start + i] = minimum[i];
            if (values[start + i] > maximum[i]) values[start + i] = maximum[i];
        }
    return {};
}

/// The features of one category, one for each of its texts, that become a single one.
struct Group
{
    std::string name;
    std::size_t first = 0;
    std::vector<float> codes; ///< one for each of the texts
};

/// The step's groups, ascending and within `count` features.
Result<std::vector<Group>> groupsOf(const nlohmann::json& step, std::size_t count)
{
    std::vector<Group> groups;
    try {
        if (step.at("width").get<std::size_t>() != count)
            return badStep(str("it was fitted on ", step.at("width").dump(), " features, but there are ", count, "."));
        std::size_t next = 0;
        for (const auto& json : step.at("groups")) {
            Group group{json.at("name").get<std::string>(), json.at("first").get<std::size_t>(),
                        json.at("codes").get<std::vector<float>>()};
            if (group.codes.empty() || group.first < next || group.first > count ||
                group.codes.size() > count - group.first)
                return badStep("its groups of features overlap or are not there.");
            next = group.first + group.codes.size();
            groups.push_back(std::move(group));
        }
    } catch (const nlohmann::json::exception&) {
        return badStep("its groups of features are not of the expected form.");
    }
    return groups;
}

std::size_t widthAfter(const std::vector<Group>& groups, std::size_t count)
{
    for (const Group& group : groups) count -= group.codes.size() - 1;
    return count;
}

/// y = Σ code × x over the features of a category, of which one is 1 and the others are 0.
Status recode(const nlohmann::json& step, std::size_t& count, std::vector<float>& values)
{
    MR_TRY(const auto groups, groupsOf(step, count));
    std::size_t to = 0;
    for (std::size_t start = 0; start < values.size(); start += count) {
        std::size_t from = 0;
        const auto copyUntil = [&](std::size_t end) {
            while (from < end) values[to++] = values[start + from++];
        };
        for (const Group& group : groups) {
            copyUntil(group.first);
            float sum = 0;
            for (const float code : group.codes) sum += code * values[start + from++];
            values[to++] = sum;
        }
        copyUntil(count);
    }
    values.resize(to);
    count = widthAfter(groups, count);
    return {};
}
} // namespace

bool Preprocessing::has(std::string_view kind) const
{
    return std::any_of(steps.begin(), steps.end(), [&](const auto& step) { return kindOf(step) == kind; });
}

Status apply(const Preprocessing& preprocessing, std::int64_t count, std::vector<float>& values)
{
    auto width = static_cast<std::size_t>(count);
    if (width == 0 || values.size() % width != 0)
        return makeError(Code::InvalidArgument,
                         str(values.size(), " values are no whole rows of ", count, " features."));
    for (const auto& step : preprocessing.steps) {
        const std::string kind = kindOf(step);
        if (kind == "scale")
            MR_CHECK(scale(step, width, values));
        else if (kind == "fill")
            MR_CHECK(fill(step, width, values));
        else if (kind == "clip")
            MR_CHECK(clip(step, width, values));
        else if (kind == "recode")
            MR_CHECK(recode(step, width, values));
        // how text becomes values: done before there are any, see encode.h and tokenizer.h
        else if (kind != "table" && kind != "tokenize")
            return badStep(str(
                "the step ",
                printable(step.is_object() ? step.value("kind", nlohmann::json()).dump() : step.dump().substr(0, 80)),
                " is not known to this Millrace."));
    }
    return {};
}

std::int64_t valuesBefore(const Preprocessing& preprocessing, std::int64_t after)
{
    for (const auto& step : preprocessing.steps)
        if (kindOf(step) == "recode") {
            const auto width = step.find("width");
            return width != step.end() && width->is_number_integer() ? width->get<std::int64_t>() : after;
        }
    return after;
}

Status describeStep(const nlohmann::json& step, pipeline::RowsSchema& schema)
{
    if (kindOf(step) != "recode") return {};
    const auto count = static_cast<std::size_t>(schema.features.elements());
    MR_TRY(const auto groups, groupsOf(step, count));
    schema.features = Shape{static_cast<std::int64_t>(widthAfter(groups, count))};
    if (schema.columns.size() != count) return {};
    std::vector<pipeline::Column> columns;
    std::size_t from = 0;
    for (const Group& group : groups) {
        while (from < group.first) columns.push_back(schema.columns[from++]);
        const auto [least, most] = std::minmax_element(group.codes.begin(), group.codes.end());
        columns.push_back({group.name, static_cast<double>(*least), static_cast<double>(*most)});
        from += group.codes.size();
    }
    while (from < count) columns.push_back(schema.columns[from++]);
    schema.columns = std::move(columns);
    return {};
}

} // namespace millrace::data
