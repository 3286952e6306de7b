#include "engine/data/standardize.h"

#include "engine/data/fit.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <array>
#include <cmath>

namespace millrace::data {

namespace {
constexpr std::size_t kColumnsNoted = 20;

/// Offset and spread of each column; values equal but for rounding have no spread.
struct Spread
{
    std::vector<double> offset, spread;
};

Result<Spread> fitSpread(const Dataset& train, ScaleMethod method, std::stop_token stop)
{
    Spread result;
    if (method == ScaleMethod::Standard) {
        MR_TRY(Moments moments, fitMoments(train, stop));
        return Spread{std::move(moments.mean), std::move(moments.deviation)};
    }
    if (method == ScaleMethod::MinMax) {
        MR_TRY(const Ranges ranges, fitRanges(train, stop));
        for (std::size_t i = 0; i < ranges.minimum.size(); ++i) {
            result.offset.push_back(static_cast<double>(ranges.minimum[i]));
            result.spread.push_back(static_cast<double>(ranges.maximum[i]) - static_cast<double>(ranges.minimum[i]));
        }
        return result;
    }
    constexpr std::array kQuartiles{0.25, 0.5, 0.75};
    MR_TRY(const auto quartiles, fitQuantiles(train, allColumns(train.schema), kQuartiles, stop));
    for (const auto& of : quartiles) {
        result.offset.push_back(of[1]);
        result.spread.push_back(of[2] - of[0]);
    }
    return result;
}

std::vector<std::string> fillNotes(const Dataset& train, std::span<const std::int64_t> missing,
                                   std::span<const float> values, std::string_view what)
{
    std::vector<std::string> notes;
    std::size_t more = 0;
    for (std::size_t i = 0; i < missing.size(); ++i) {
        if (missing[i] == 0) continue;
        const std::string name = i < train.schema.columns.size()
                                     ? str("column \"", printable(train.schema.columns[i].name), "\"")
                                     : str("feature ", i + 1);
        if (notes.size() < kColumnsNoted)
            notes.push_back(
                str(formatCount(missing[i]), " missing values of ", name, " filled with ", what, " ", values[i], "."));
        else
            ++more;
    }
    if (more > 0) notes.push_back(str("Missing values filled alike in ", more, " more columns."));
    return notes;
}
} // namespace

std::optional<ScaleMethod> scaleMethod(std::string_view name)
{
    if (name == "standard") return ScaleMethod::Standard;
    if (name == "min_max") return ScaleMethod::MinMax;
    if (name == "robust") return ScaleMethod::Robust;
    return std::nullopt;
}

Result<nlohmann::json> fitScale(const Dataset& train, ScaleMethod method, std::stop_token stop)
{
    if (train.rows() < 1) return makeError(Code::InvalidArgument, "There are no rows to fit a scale on.");
    MR_TRY(const Spread fitted, fitSpread(train, method, stop));
    nlohmann::json step = {{"kind", "scale"}, {"offset", nlohmann::json::array()}, {"factor", nlohmann::json::array()}};
    for (std::size_t i = 0; i < fitted.offset.size(); ++i) {
        // equal values may differ from their mean by rounding: what is left is no deviation
        const bool constant = fitted.spread[i] <= 1e-7 * std::abs(fitted.offset[i]);
        step["offset"].push_back(static_cast<float>(fitted.offset[i]));
        step["factor"].push_back(constant ? 1.0F : static_cast<float>(1.0 / fitted.spread[i]));
    }
    return step;
}

Result<Fill> fitFill(const Dataset& train, FillMethod method, float constant, std::stop_token stop)
{
    std::vector<float> values(fittedColumns(train.schema), 0.0F);
    MR_TRY(const auto columns, numberColumns(train));
    if (method == FillMethod::Mean) {
        MR_TRY(const Moments moments, fitMoments(train, stop));
        for (const std::size_t column : columns) values[column] = static_cast<float>(moments.mean[column]);
    } else if (method == FillMethod::Median) {
        constexpr std::array kMiddle{0.5};
        MR_TRY(const auto medians, fitQuantiles(train, columns, kMiddle, stop));
        for (std::size_t i = 0; i < columns.size(); ++i) values[columns[i]] = static_cast<float>(medians[i][0]);
    } else if (method == FillMethod::Mode) {
        MR_TRY(const auto modes, fitModes(train, columns, stop));
        for (std::size_t i = 0; i < columns.size(); ++i) values[columns[i]] = modes[i];
    } else {
        for (const std::size_t column : columns) values[column] = constant;
    }
    constexpr std::array<std::string_view, 4> kNames{"its mean", "its median", "its mode", "the constant"};
    MR_TRY(const auto missing, countMissing(train, stop));
    return Fill{{{"kind", "fill"}, {"values", values}},
                fillNotes(train, missing, values, kNames[static_cast<std::size_t>(method)])};
}

Result<SplitRows> preparedAlike(Dataset train, const Dataset* test, const nlohmann::json& steps)
{
    if (test != nullptr &&
        (train.schema.features != test->schema.features || train.preprocessing != test->preprocessing))
        return makeError(Code::InvalidArgument,
                         str("The training rows (", train.schema.features.toString(), ") and the test rows (",
                             test->schema.features.toString(), ") do not come from the same source."))
            .advise("Link both from one data.split.");
    SplitRows result;
    MR_TRY(result.train, prepared(std::move(train), steps));
    if (test != nullptr) {
        MR_TRY(result.test, prepared(*test, steps));
    }
    return result;
}

bool lacksFill(const Dataset& rows)
{
    return rows.preprocessing.has("table") && !rows.preprocessing.has("fill");
}

Result<SplitRows> filled(Dataset train, const Dataset* test, std::stop_token stop)
{
    nlohmann::json steps = nlohmann::json::array();
    if (lacksFill(train)) {
        MR_TRY(Fill fill, fitFill(train, FillMethod::Median, 0, stop));
        train.notes.insert(train.notes.end(), fill.notes.begin(), fill.notes.end());
        steps.push_back(std::move(fill.step));
    }
    return preparedAlike(std::move(train), test, steps);
}

Result<SplitRows> scaled(Dataset train, const Dataset* test, ScaleMethod method, std::stop_token stop)
{
    MR_TRY(SplitRows parts, filled(std::move(train), test, stop));
    MR_TRY(const auto step, fitScale(parts.train, method, stop));
    return preparedAlike(std::move(parts.train), test != nullptr ? &parts.test : nullptr,
                         nlohmann::json::array({step}));
}

} // namespace millrace::data
