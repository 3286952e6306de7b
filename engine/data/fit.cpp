#include "engine/data/fit.h"

#include "engine/data/table_encoder.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

namespace millrace::data {

namespace {
constexpr std::size_t kModeValues = 1'000'000;
constexpr std::size_t kQuantileBytes = 64u << 20; ///< of the tables of one round
constexpr std::array kDigitBits{11, 11, 10};

/// Calls function(column, value) for every value that is not missing.
template <class Function> Status forEachValue(const Dataset& rows, std::stop_token stop, const Function& function)
{
    const std::size_t columns = fittedColumns(rows.schema);
    return forEachBlock(rows, stop, [&](const Batch& batch) -> Status {
        for (std::size_t start = 0; start < batch.features.size(); start += columns)
            for (std::size_t column = 0; column < columns; ++column)
                if (const float value = batch.features[start + column]; !std::isnan(value)) function(column, value);
        return {};
    });
}

/// Orders as the numbers do.
std::uint32_t orderedBits(float value)
{
    const auto bits = std::bit_cast<std::uint32_t>(value == 0 ? 0.0F : value); // -0 is 0
    return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
}
float fromOrderedBits(std::uint32_t bits)
{
    return std::bit_cast<float>((bits & 0x80000000U) != 0 ? bits & 0x7FFFFFFFU : ~bits);
}

/// Finds the value of a rank among a column's values: the first bits of it are known, the next ones are counted.
struct RankSearch
{
    std::size_t column = 0;
    std::int64_t rank = 0;   ///< among the values that begin with `known`
    std::uint32_t known = 0; ///< the first bits of the value
    std::vector<std::int64_t> counts;

    void add(std::uint32_t bits, int knownBits, int digitBits)
    {
        if (knownBits > 0 && bits >> (32 - knownBits) != known) return;
        ++counts[(bits << knownBits) >> (32 - digitBits)];
    }
    void takeDigit(int digitBits)
    {
        std::uint32_t digit = 0;
        while (rank >= counts[digit]) rank -= counts[digit++];
        known = known << digitBits | digit;
        counts.clear();
    }
};

/// The values of all searches' ranks; each rank must be less than the column's number of values.
Status findRanks(const Dataset& rows, std::vector<RankSearch>& searches, std::stop_token stop)
{
    int knownBits = 0;
    for (const int digitBits : kDigitBits) {
        for (RankSearch& search : searches) search.counts.assign(std::size_t{1} << digitBits, 0);
        const std::size_t width = fittedColumns(rows.schema);
        MR_CHECK(forEachBlock(rows, stop, [&](const Batch& batch) -> Status {
            for (RankSearch& search : searches)
                for (std::size_t i = search.column; i < batch.features.size(); i += width)
                    if (!std::isnan(batch.features[i]))
                        search.add(orderedBits(batch.features[i]), knownBits, digitBits);
            return {};
        }));
        for (RankSearch& search : searches) search.takeDigit(digitBits);
        knownBits += digitBits;
    }
    return {};
}
} // namespace

std::size_t fittedColumns(const pipeline::RowsSchema& schema)
{
    return schema.image ? 1 : static_cast<std::size_t>(schema.features.elements());
}

std::vector<std::size_t> allColumns(const pipeline::RowsSchema& schema)
{
    std::vector<std::size_t> columns(fittedColumns(schema));
    std::iota(columns.begin(), columns.end(), std::size_t{0});
    return columns;
}

Result<std::vector<std::size_t>> numberColumns(const Dataset& rows)
{
    for (const auto& step : rows.preprocessing.steps) {
        if (!step.is_object() || step.value("kind", nlohmann::json()) != "table") continue;
        MR_TRY(const TableEncoder encoder, TableEncoder::fromStep(step));
        // after a recode the features are others: then all are looked at, and no category has a missing value
        if (encoder.featureCount() != static_cast<std::size_t>(rows.schema.features.elements())) break;
        std::vector<std::size_t> columns;
        std::size_t feature = 0;
        for (const TableColumn& column : encoder.columns()) {
            if (column.role == ColumnRole::Number) columns.push_back(feature++);
            if (column.role == ColumnRole::Category) feature += column.values.size();
        }
        return columns;
    }
    return allColumns(rows.schema);
}

Result<Moments> fitMoments(const Dataset& rows, std::stop_token stop)
{
    const std::size_t columns = fittedColumns(rows.schema);
    Moments result{std::vector<double>(columns), std::vector<double>(columns)};
    std::vector<std::int64_t> counts(columns);
    MR_CHECK(forEachValue(rows, stop, [&](std::size_t column, float value) {
        result.mean[column] += static_cast<double>(value);
        ++counts[column];
    }));
    for (std::size_t i = 0; i < columns; ++i)
        if (counts[i] > 0) result.mean[i] /= static_cast<double>(counts[i]);
    MR_CHECK(forEachValue(rows, stop, [&](std::size_t column, float value) {
        const double distance = static_cast<double>(value) - result.mean[column];
        result.deviation[column] += distance * distance;
    }));
    for (std::size_t i = 0; i < columns; ++i)
        if (counts[i] > 0) result.deviation[i] = std::sqrt(result.deviation[i] / static_cast<double>(counts[i]));
    return result;
}

Result<Ranges> fitRanges(const Dataset& rows, std::stop_token stop)
{
    const std::size_t columns = fittedColumns(rows.schema);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    Ranges result{std::vector<float>(columns, kInfinity), std::vector<float>(columns, -kInfinity)};
    MR_CHECK(forEachValue(rows, stop, [&](std::size_t column, float value) {
        result.minimum[column] = std::min(result.minimum[column], value);
        result.maximum[column] = std::max(result.maximum[column], value);
    }));
    for (std::size_t i = 0; i < columns; ++i)
        if (result.minimum[i] > result.maximum[i]) result.minimum[i] = result.maximum[i] = 0;
    return result;
}

Result<std::vector<std::vector<double>>> fitQuantiles(const Dataset& rows, std::span<const std::size_t> columns,
                                                      std::span<const double> fractions, std::stop_token stop)
{
    std::vector<std::vector<double>> result(columns.size(), std::vector<double>(fractions.size()));
    MR_TRY(const auto missing, countMissing(rows, stop));
    const std::size_t width = fittedColumns(rows.schema);
    const std::int64_t all = rows.rows() * (rows.schema.features.elements() / static_cast<std::int64_t>(width));
    const std::size_t searchBytes = sizeof(std::int64_t) << kDigitBits.front();
    const std::size_t round = std::max<std::size_t>(1, kQuantileBytes / searchBytes / (2 * fractions.size()));
    for (std::size_t first = 0; first < columns.size(); first += round) {
        const std::size_t end = std::min(columns.size(), first + round);
        std::vector<RankSearch> searches; // the value below and the one above, for each fraction of each column
        for (std::size_t i = first; i < end; ++i) {
            const std::int64_t count = all - missing[columns[i]];
            for (std::size_t f = 0; f < fractions.size() && count > 0; ++f) {
                const auto below = static_cast<std::int64_t>(std::floor(fractions[f] * static_cast<double>(count - 1)));
                searches.push_back({columns[i], below, 0, {}});
                searches.push_back({columns[i], std::min(below + 1, count - 1), 0, {}});
            }
        }
        MR_CHECK(findRanks(rows, searches, stop));
        auto search = searches.begin();
        for (std::size_t i = first; i < end; ++i) {
            const std::int64_t count = all - missing[columns[i]];
            for (std::size_t f = 0; f < fractions.size() && count > 0; ++f) {
                const double place = fractions[f] * static_cast<double>(count - 1);
                const auto below = static_cast<double>(fromOrderedBits((search++)->known));
                const auto above = static_cast<double>(fromOrderedBits((search++)->known));
                result[i][f] = below + (above - below) * (place - std::floor(place));
            }
        }
    }
    return result;
}

Result<std::vector<float>> fitModes(const Dataset& rows, std::span<const std::size_t> columns, std::stop_token stop)
{
    std::vector<float> modes;
    for (const std::size_t column : columns) {
        std::map<float, std::int64_t> counts;
        bool tooMany = false;
        MR_CHECK(forEachBlock(rows, stop, [&](const Batch& batch) -> Status {
            for (std::size_t i = column; i < batch.features.size(); i += fittedColumns(rows.schema))
                if (!std::isnan(batch.features[i]) && !tooMany) ++counts[batch.features[i]];
            tooMany = tooMany || counts.size() > kModeValues;
            return {};
        }));
        if (tooMany)
            return makeError(Code::TooLarge, str("Feature ", column + 1, " has more than ", formatCount(kModeValues),
                                                 " different values; its most frequent one says nothing."))
                .advise("Fill missing values with the median or the mean.");
        const auto most = std::max_element(counts.begin(), counts.end(),
                                           [](const auto& a, const auto& b) { return a.second < b.second; });
        modes.push_back(most == counts.end() ? 0.0F : most->first);
    }
    return modes;
}

Result<std::vector<std::int64_t>> countMissing(const Dataset& rows, std::stop_token stop)
{
    const std::size_t columns = fittedColumns(rows.schema);
    std::vector<std::int64_t> missing(columns);
    MR_CHECK(forEachBlock(rows, stop, [&](const Batch& batch) -> Status {
        for (std::size_t start = 0; start < batch.features.size(); start += columns)
            for (std::size_t column = 0; column < columns; ++column)
                if (std::isnan(batch.features[start + column])) ++missing[column];
        return {};
    }));
    return missing;
}

Result<std::vector<std::int64_t>> countClasses(const Dataset& rows, std::stop_token stop)
{
    if (rows.schema.target != pipeline::TargetKind::Classes) return std::vector<std::int64_t>{rows.rows()};
    std::vector<std::int64_t> counts(rows.schema.classes.size());
    MR_CHECK(forEachBlock(rows, stop, [&](const Batch& batch) -> Status {
        for (const std::int32_t label : batch.labels) ++counts[static_cast<std::size_t>(label)];
        return {};
    }));
    return counts;
}

} // namespace millrace::data
