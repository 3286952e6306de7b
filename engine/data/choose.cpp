#include "engine/data/choose.h"

#include "kernels/base/random.h"

#include <algorithm>
#include <numeric>

namespace millrace::data {

std::vector<std::int64_t> proportional(std::span<const std::int64_t> sizes, std::int64_t total)
{
    const std::int64_t rows = std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0});
    std::vector<std::int64_t> counts(sizes.size());
    if (rows == 0) return counts;
    std::vector<std::size_t> order(sizes.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = 0; i < sizes.size(); ++i) counts[i] = sizes[i] * total / rows;
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return sizes[a] * total % rows > sizes[b] * total % rows; });
    std::int64_t left = total - std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
    for (std::size_t i = 0; left > 0; ++i, --left) ++counts[order[i]];
    return counts;
}

Result<std::vector<bool>> choose(const Dataset& rows, std::vector<std::int64_t> sizes, std::vector<std::int64_t> wanted,
                                 std::uint64_t seed, std::string_view stream, std::stop_token stop)
{
    std::vector<bool> chosen;
    chosen.reserve(static_cast<std::size_t>(rows.rows()));
    Random random(seed, streamOf(stream));
    const bool grouped = sizes.size() > 1;
    // a row is taken with the probability wanted ÷ left: exactly the wanted number is reached
    MR_CHECK(forEachBlock(rows, stop, [&](const Batch& batch) -> Status {
        for (std::int64_t row = 0; row < batch.rows; ++row) {
            const auto at = static_cast<std::size_t>(row);
            const std::size_t group = grouped ? static_cast<std::size_t>(batch.labels[at]) : 0;
            const bool taken =
                static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(sizes[group]))) < wanted[group];
            --sizes[group];
            if (taken) --wanted[group];
            chosen.push_back(taken);
        }
        return {};
    }));
    return chosen;
}

} // namespace millrace::data
