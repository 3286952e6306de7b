#include "engine/data/stored_rows.h"

#include <algorithm>

namespace millrace::data {

namespace {
/// Moves the kept ones of some rows to the front, each of `width` values.
template <class T>
void compact(std::vector<T>& values, std::size_t width, const std::vector<bool>& chosen, std::size_t first,
             std::size_t rows)
{
    if (values.empty()) return;
    auto to = values.begin();
    for (std::size_t row = 0; row < rows; ++row) {
        if (!chosen[first + row]) continue;
        const auto from = values.begin() + static_cast<std::ptrdiff_t>(row * width);
        if (from != to) std::copy_n(from, width, to);
        to += static_cast<std::ptrdiff_t>(width);
    }
    values.erase(to, values.end());
}
} // namespace

StoredRows::StoredRows(std::shared_ptr<const ShardSet> shards, std::vector<bool> chosen)
    : m_shards(std::move(shards)), m_chosen(std::move(chosen))
{
    std::int64_t before = 0, first = 0;
    for (std::int64_t block = 0; block < m_shards->blocks(); ++block) {
        const std::int64_t rows = m_shards->rowsOfBlock(block);
        m_before.push_back(before);
        m_first.push_back(first);
        const auto begin = m_chosen.begin() + (m_chosen.empty() ? 0 : first);
        before += m_chosen.empty() ? rows : std::count(begin, begin + rows, true);
        first += rows;
    }
    m_before.push_back(before);
}

std::int64_t StoredRows::rowsOfBlock(std::int64_t block) const
{
    const auto at = static_cast<std::size_t>(block);
    return m_before[at + 1] - m_before[at];
}

Status StoredRows::readBlock(std::int64_t block, RowsBuffer& buffer) const
{
    MR_CHECK(m_shards->readBlock(block, buffer));
    const std::int64_t rows = m_shards->rowsOfBlock(block);
    if (rowsOfBlock(block) == rows) return {};
    const auto first = static_cast<std::size_t>(m_first[static_cast<std::size_t>(block)]);
    const auto count = static_cast<std::size_t>(rows);
    compact(buffer.features, buffer.features.size() / count, m_chosen, first, count);
    compact(buffer.labels, 1, m_chosen, first, count);
    compact(buffer.targets, 1, m_chosen, first, count);
    return {};
}

StoredRows StoredRows::select(const std::vector<bool>& keep) const
{
    if (m_chosen.empty()) return StoredRows(m_shards, keep);
    std::vector<bool> chosen(m_chosen.size());
    auto kept = keep.begin();
    for (std::size_t row = 0; row < chosen.size(); ++row)
        if (m_chosen[row]) chosen[row] = *kept++;
    return StoredRows(m_shards, std::move(chosen));
}

} // namespace millrace::data
