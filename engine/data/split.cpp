#include "engine/data/split.h"

#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace millrace::data {

namespace {
/// How many of each group go to training: proportional, whole, and `total` together.
std::vector<std::int64_t> proportional(const std::vector<std::int64_t>& sizes, std::int64_t rows, std::int64_t total)
{
    std::vector<std::int64_t> counts(sizes.size());
    std::vector<std::size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = 0; i < sizes.size(); ++i) counts[i] = sizes[i] * total / rows;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return sizes[a] * total % rows > sizes[b] * total % rows; });
    std::int64_t left = total - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    for (std::size_t i = 0; left > 0; ++i, --left) ++counts[order[i]];
    return counts;
}
} // namespace

SplitOptions splitOptions(const pipeline::Node& node, const pipeline::NodeSpec& spec)
{
    SplitOptions options;
    if (const auto value = pipeline::paramValue(node, spec, "train"); value.is_number()) options.train = value;
    if (const auto value = pipeline::paramValue(node, spec, "seed"); value.is_number()) options.seed = value;
    if (const auto value = pipeline::paramValue(node, spec, "stratify"); value.is_boolean()) options.stratify = value;
    return options;
}

Result<SplitRows> split(const Dataset& rows, const SplitOptions& options)
{
    const std::int64_t count = rows.rows();
    if (count < 2)
        return makeError(Code::InvalidArgument,
                         str(count, " rows cannot be divided into two parts; at least 2 are needed."));
    if (count > INT32_MAX)
        return makeError(Code::TooLarge, str(formatCount(count), " rows are more than a split can number."));
    if (!(options.train > 0 && options.train < 1))
        return makeError(Code::InvalidArgument,
                         str("The training part is ", options.train, "; a fraction between 0 and 1 is needed."));

    // the first rows of a random order that belong to a class are that class's training rows
    std::vector<std::uint32_t> order(static_cast<std::size_t>(count));
    permutation(options.seed, streamOf("data.split"), order);
    const bool stratify = options.stratify && rows.schema.target == pipeline::TargetKind::Classes;
    const auto groupOf = [&](std::uint32_t row) { return stratify ? static_cast<std::size_t>(rows.labels[row]) : 0; };
    std::vector<std::int64_t> sizes(stratify ? rows.schema.classes.size() : 1);
    for (const std::uint32_t row : order) ++sizes[groupOf(row)];
    auto wanted = proportional(sizes, count, pipeline::trainRows(count, options.train));

    std::vector<std::uint32_t> train, test;
    for (const std::uint32_t row : order) (wanted[groupOf(row)]-- > 0 ? train : test).push_back(row);
    std::sort(train.begin(), train.end());
    std::sort(test.begin(), test.end());
    return SplitRows{select(rows, train), select(rows, test)};
}

Dataset select(const Dataset& rows, std::span<const std::uint32_t> indices)
{
    Dataset part;
    part.schema = rows.schema;
    part.schema.rows = static_cast<std::int64_t>(indices.size());
    part.preprocessing = rows.preprocessing;
    part.notes = rows.notes;
    part.features.reserve(indices.size() * static_cast<std::size_t>(rows.schema.features.elements()));
    for (const std::uint32_t index : indices) {
        const auto row = rows.row(index);
        part.features.insert(part.features.end(), row.begin(), row.end());
        if (!rows.labels.empty()) part.labels.push_back(rows.labels[index]);
        if (!rows.targets.empty()) part.targets.push_back(rows.targets[index]);
    }
    return part;
}

} // namespace millrace::data
