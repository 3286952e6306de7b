#include "engine/data/image_repeats.h"

#include <string_view>
#include <unordered_set>

namespace millrace::data {

namespace {
/// The row's bytes, to be compared as a whole.
std::string_view bytesOf(const Dataset& rows, std::int64_t row)
{
    const auto values = rows.row(row);
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}
} // namespace

std::int64_t repeatedImages(const Dataset& train, const Dataset& held)
{
    if (!train.schema.image || train.schema.features != held.schema.features || train.stored || held.stored) return 0;
    std::unordered_set<std::string_view> known; // views of the training rows
    known.reserve(static_cast<std::size_t>(train.rows()));
    for (std::int64_t row = 0; row < train.rows(); ++row) known.insert(bytesOf(train, row));
    std::int64_t repeated = 0;
    for (std::int64_t row = 0; row < held.rows(); ++row) repeated += known.contains(bytesOf(held, row)) ? 1 : 0;
    return repeated;
}

} // namespace millrace::data
