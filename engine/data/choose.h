// Which of the rows: so many of each group at random, in one pass over the rows in their order.
#pragma once

#include "engine/data/dataset.h"

#include <span>
#include <stop_token>
#include <string_view>
#include <vector>

namespace millrace::data {

/// Shares `total` among groups in proportion to their sizes: whole numbers that are `total` together, the largest
/// remainders rounded up first.
std::vector<std::int64_t> proportional(std::span<const std::int64_t> sizes, std::int64_t total);

/// Chooses exactly wanted[group] of the sizes[group] rows of each class, every such choice being equally likely; with a
/// single group, of all rows. A pure function of the rows' labels, the seed and the stream.
/// Source: Fan, Muller, Rezucha 1962, "Development of sampling plans by using sequential (item by item) selection
/// techniques and digital computers", method 1.
Result<std::vector<bool>> choose(const Dataset& rows, std::vector<std::int64_t> sizes, std::vector<std::int64_t> wanted,
                                 std::uint64_t seed, std::string_view stream, std::stop_token stop = {});

} // namespace millrace::data
