#include "engine/data/clean.h"

#include "engine/data/fit.h"
#include "engine/data/shard_format.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace millrace::data {

namespace {
constexpr std::int64_t kFingerprints = 4'000'000; ///< compared at once: 100 MB

/// A row's place among those of both parts, and what it holds.
struct Fingerprint
{
    std::array<std::uint64_t, 2> hash;
    std::int64_t row;
    bool operator<(const Fingerprint& other) const { return std::tie(hash, row) < std::tie(other.hash, other.row); }
};

/// Calls function(row, fingerprint) for every row; rows are numbered from `first`.
template <class Function>
Status forEachFingerprint(const Dataset& rows, std::int64_t first, std::stop_token stop, const Function& function)
{
    const auto width = static_cast<std::size_t>(rows.schema.features.elements());
    std::string bytes;
    return forEachBlock(rows, stop, [&](const Batch& batch) -> Status {
        for (std::size_t row = 0; row < static_cast<std::size_t>(batch.rows); ++row) {
            const auto features = batch.features.subspan(row * width, width);
            bytes.assign(reinterpret_cast<const char*>(features.data()), features.size_bytes());
            if (!batch.labels.empty()) bytes.append(reinterpret_cast<const char*>(&batch.labels[row]), 4);
            if (!batch.targets.empty()) bytes.append(reinterpret_cast<const char*>(&batch.targets[row]), 4);
            function(first++, shardFingerprint(bytes));
        }
        return {};
    });
}

/// Which rows of both parts, numbered one after the other, are not equal to one before. Where there are too many rows
/// to compare at once, those whose hashes end alike are compared together, in as many passes as that takes.
Result<std::vector<bool>> firstOfEqual(const Dataset& rows, const Dataset* test, std::stop_token stop)
{
    const std::int64_t count = rows.rows(), all = count + (test != nullptr ? test->rows() : 0);
    std::vector<bool> keep(static_cast<std::size_t>(all), true);
    const auto passes = static_cast<std::uint64_t>((all + kFingerprints - 1) / kFingerprints);
    std::vector<Fingerprint> found;
    for (std::uint64_t pass = 0; pass < passes; ++pass) {
        found.clear();
        const auto add = [&](std::int64_t row, std::array<std::uint64_t, 2> hash) {
            if (hash[0] % passes == pass) found.push_back({hash, row});
        };
        MR_CHECK(forEachFingerprint(rows, 0, stop, add));
        if (test != nullptr) MR_CHECK(forEachFingerprint(*test, count, stop, add));
        std::sort(found.begin(), found.end());
        for (std::size_t i = 1; i < found.size(); ++i)
            if (found[i].hash == found[i - 1].hash) keep[static_cast<std::size_t>(found[i].row)] = false;
    }
    return keep;
}

/// The range of each feature outside which a number is an outlier; without end for a category's features.
struct Bounds
{
    std::vector<float> minimum, maximum;
};

Result<Bounds> fitBounds(const Dataset& rows, double range, std::stop_token stop)
{
    constexpr float kInfinity = std::numeric_limits<float>::max(); // JSON has no infinity
    const auto width = fittedColumns(rows.schema);
    Bounds bounds{std::vector<float>(width, -kInfinity), std::vector<float>(width, kInfinity)};
    MR_TRY(const Moments moments, fitMoments(rows, stop));
    MR_TRY(const auto columns, numberColumns(rows));
    for (const std::size_t i : columns) {
        bounds.minimum[i] = static_cast<float>(moments.mean[i] - range * moments.deviation[i]);
        bounds.maximum[i] = static_cast<float>(moments.mean[i] + range * moments.deviation[i]);
    }
    return bounds;
}

/// The rows of which every value is as wanted.
template <class Predicate>
Result<std::vector<bool>> whereAll(const Dataset& rows, std::stop_token stop, const Predicate& predicate)
{
    const auto width = static_cast<std::size_t>(rows.schema.features.elements());
    std::vector<bool> keep;
    MR_CHECK(forEachBlock(rows, stop, [&](const Batch& batch) -> Status {
        for (std::size_t start = 0; start < batch.features.size(); start += width) {
            bool good = true;
            for (std::size_t i = 0; i < width && good; ++i) good = predicate(i, batch.features[start + i]);
            keep.push_back(good);
        }
        return {};
    }));
    return keep;
}

/// Keeps rows of one part and notes how many are gone, and why.
Status keepOnly(Dataset& rows, const std::vector<bool>& keep, std::string_view why)
{
    const std::int64_t before = rows.rows();
    if (std::find(keep.begin(), keep.end(), false) == keep.end()) return {};
    Dataset kept = select(rows, keep);
    if (kept.rows() == 0)
        return makeError(Code::InvalidArgument, str("All ", formatCount(before), " rows are left out: ", why, "."))
            .advise("Fill missing values instead of dropping rows, or widen the range.");
    kept.notes.push_back(
        str(formatCount(before - kept.rows()), " of ", formatCount(before), " rows are left out: ", why, "."));
    rows = std::move(kept);
    return {};
}
} // namespace

Result<SplitRows> clean(const Dataset& rows, const Dataset* test, const CleanOptions& options, std::stop_token stop)
{
    // also says whether the two come from the same source
    MR_TRY(SplitRows parts, preparedAlike(rows, test, nlohmann::json::array()));
    Dataset* const second = test != nullptr ? &parts.test : nullptr;
    const auto bothParts = [&](const auto& function) -> Status {
        MR_CHECK(function(parts.train));
        return second != nullptr ? function(*second) : Status();
    };
    if (options.dropDuplicates) {
        MR_TRY(const auto keep, firstOfEqual(parts.train, second, stop));
        const auto middle = keep.begin() + parts.train.rows();
        const std::vector<bool> ofRows(keep.begin(), middle), ofTest(middle, keep.end());
        MR_CHECK(keepOnly(parts.train, ofRows, "they are equal to one before"));
        if (second != nullptr)
            MR_CHECK(keepOnly(*second, ofTest, "they are equal to one before, or to a training row"));
    }
    if (!options.fill)
        MR_CHECK(bothParts([&](Dataset& part) -> Status {
            MR_TRY(const auto keep, whereAll(part, stop, [](std::size_t, float x) { return !std::isnan(x); }));
            return keepOnly(part, keep, "they lack a value");
        }));
    auto steps = nlohmann::json::array();
    if (options.outliers != Outliers::Keep) {
        MR_TRY(const Bounds bounds, fitBounds(parts.train, options.range, stop));
        const auto inside = [&](std::size_t i, float x) {
            const std::size_t column = i % bounds.minimum.size();
            return std::isnan(x) || (x >= bounds.minimum[column] && x <= bounds.maximum[column]);
        };
        if (options.outliers == Outliers::Clip)
            steps.push_back({{"kind", "clip"}, {"minimum", bounds.minimum}, {"maximum", bounds.maximum}});
        else
            MR_CHECK(bothParts([&](Dataset& part) -> Status {
                MR_TRY(const auto keep, whereAll(part, stop, inside));
                return keepOnly(part, keep, str("a value is more than ", options.range, " deviations off the mean"));
            }));
    }
    if (options.fill) {
        MR_TRY(Fill fill, fitFill(parts.train, *options.fill, options.constant, stop));
        parts.train.notes.insert(parts.train.notes.end(), fill.notes.begin(), fill.notes.end());
        steps.push_back(std::move(fill.step));
    }
    return preparedAlike(std::move(parts.train), second, steps);
}

} // namespace millrace::data
