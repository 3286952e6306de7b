#include "engine/data/standardize.h"

#include "kernels/base/text.h"

#include <cmath>

namespace millrace::data {

namespace {
/// Mean and population deviation of each column of a row-major matrix of values.
struct Moments
{
    std::vector<double> mean, deviation;
};

Moments moments(std::span<const float> values, std::size_t columns)
{
    const double count = static_cast<double>(values.size() / columns);
    Moments result{std::vector<double>(columns), std::vector<double>(columns)};
    for (std::size_t i = 0; i < values.size(); ++i) result.mean[i % columns] += static_cast<double>(values[i]);
    for (double& mean : result.mean) mean /= count;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const double distance = static_cast<double>(values[i]) - result.mean[i % columns];
        result.deviation[i % columns] += distance * distance;
    }
    for (double& deviation : result.deviation) deviation = std::sqrt(deviation / count);
    return result;
}
} // namespace

Result<nlohmann::json> fitStandardize(const Dataset& train)
{
    if (train.rows() < 1) return makeError(Code::InvalidArgument, "There are no rows to fit mean and deviation on.");
    const std::size_t columns = train.schema.image ? 1 : static_cast<std::size_t>(train.schema.features.elements());
    const Moments fitted = moments(train.features, columns);
    nlohmann::json step = {{"kind", "scale"}, {"offset", nlohmann::json::array()}, {"factor", nlohmann::json::array()}};
    for (std::size_t i = 0; i < columns; ++i) {
        // equal values may differ from their mean by rounding: what is left is no deviation
        const bool constant = fitted.deviation[i] <= 1e-7 * std::abs(fitted.mean[i]);
        step["offset"].push_back(static_cast<float>(fitted.mean[i]));
        step["factor"].push_back(constant ? 1.0F : static_cast<float>(1.0 / fitted.deviation[i]));
    }
    return step;
}

Result<Dataset> standardized(Dataset rows, const nlohmann::json& step)
{
    MR_CHECK(apply(Preprocessing{nlohmann::json::array({step})}, rows.schema.features, rows.features));
    rows.preprocessing.steps.push_back(step);
    return rows;
}

Result<SplitRows> standardize(Dataset train, Dataset test)
{
    if (train.schema.features != test.schema.features || train.preprocessing != test.preprocessing)
        return makeError(Code::InvalidArgument,
                         str("The training rows (", train.schema.features.toString(), ") and the test rows (",
                             test.schema.features.toString(), ") do not come from the same source."))
            .advise("Link both from one data.split.");
    MR_TRY(const auto step, fitStandardize(train));
    SplitRows result;
    MR_TRY(result.train, standardized(std::move(train), step));
    MR_TRY(result.test, standardized(std::move(test), step));
    return result;
}

} // namespace millrace::data
