#include "engine/data/split.h"

#include "engine/data/choose.h"
#include "engine/data/fit.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <utility>

namespace millrace::data {

namespace {
std::vector<bool> complement(std::vector<bool> chosen)
{
    chosen.flip();
    return chosen;
}

/// Rows in memory: the first rows of a random order that belong to a class are that class's training rows.
std::vector<bool> chooseByPermutation(const Dataset& rows, std::vector<std::int64_t> wanted, std::uint64_t seed)
{
    std::vector<std::uint32_t> order(static_cast<std::size_t>(rows.rows()));
    permutation(seed, streamOf("data.split"), order);
    std::vector<bool> chosen(order.size());
    for (const std::uint32_t row : order) {
        const auto group = wanted.size() > 1 ? static_cast<std::size_t>(rows.labels[row]) : 0;
        chosen[row] = wanted[group]-- > 0;
    }
    return chosen;
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

Result<SplitRows> split(const Dataset& rows, const SplitOptions& options, std::stop_token stop)
{
    const std::int64_t count = rows.rows();
    if (count < 2)
        return makeError(Code::InvalidArgument,
                         str(count, " rows cannot be divided into two parts; at least 2 are needed."));
    if (!rows.stored && count > INT32_MAX)
        return makeError(Code::TooLarge, str(formatCount(count), " rows are more than a split can number."));
    if (!(options.train > 0 && options.train < 1))
        return makeError(Code::InvalidArgument,
                         str("The training part is ", options.train, "; a fraction between 0 and 1 is needed."));

    std::vector<std::int64_t> sizes{count};
    if (options.stratify && rows.schema.target == pipeline::TargetKind::Classes) {
        MR_TRY(sizes, countClasses(rows, stop));
    }
    auto wanted = proportional(sizes, pipeline::trainRows(count, options.train));
    std::vector<bool> train;
    if (rows.stored) {
        MR_TRY(train, choose(rows, std::move(sizes), std::move(wanted), options.seed, "data.split", stop));
    } else {
        train = chooseByPermutation(rows, std::move(wanted), options.seed);
    }
    return SplitRows{select(rows, train), select(rows, complement(train))};
}

} // namespace millrace::data
