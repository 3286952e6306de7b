#include "engine/data/rows_builder.h"

#include "engine/data/stored_rows.h"

#include <limits>

namespace millrace::data {

RowsBuilder::RowsBuilder(Dataset description, RowsPlace place)
    : m_description(std::move(description)), m_place(std::move(place)),
      m_keptValues(m_place.folder.empty() ? std::numeric_limits<std::size_t>::max()
                                          : m_place.memoryBytes / sizeof(float))
{
}

Result<RowsBuilder> RowsBuilder::create(Dataset description, RowsPlace place)
{
    RowsBuilder builder(std::move(description), std::move(place));
    const pipeline::RowsSchema& schema = builder.m_description.schema;
    const auto expected = static_cast<std::size_t>(std::max<std::int64_t>(schema.rows, 0));
    const std::size_t values = expected * static_cast<std::size_t>(schema.features.elements());
    if (values >= builder.m_keptValues) {
        MR_CHECK(builder.writeOut());
    } else {
        builder.m_rows.features.reserve(values);
        if (schema.target == pipeline::TargetKind::Classes) builder.m_rows.labels.reserve(expected);
        if (schema.target == pipeline::TargetKind::Number) builder.m_rows.targets.reserve(expected);
    }
    return builder;
}

Status RowsBuilder::writeOut()
{
    if (!m_writer) {
        MR_TRY(ShardWriter writer, ShardWriter::create(m_place.folder, m_description));
        m_writer.emplace(std::move(writer));
        m_keptValues = ShardSizes().blockBytes / sizeof(float);
    }
    const auto width = static_cast<std::size_t>(m_description.schema.features.elements());
    MR_CHECK(m_writer->add(m_rows.view(static_cast<std::int64_t>(m_rows.features.size() / width))));
    const bool first = m_rows.features.capacity() > 4 * m_keptValues;
    if (first) m_rows = {}; // gives back what was collected before it was too much
    m_rows.features.clear();
    m_rows.labels.clear();
    m_rows.targets.clear();
    return {};
}

Result<Dataset> RowsBuilder::finish()
{
    if (m_writer) MR_CHECK(writeOut());
    Dataset rows = std::move(m_description);
    if (!m_writer) {
        rows.features = std::move(m_rows.features);
        rows.labels = std::move(m_rows.labels);
        rows.targets = std::move(m_rows.targets);
    } else {
        MR_CHECK(m_writer->finish(false));
        MR_TRY(auto shards, ShardSet::open(m_place.folder));
        rows.stored = std::make_shared<const StoredRows>(std::move(shards));
    }
    rows.schema.rows = rows.rows();
    return rows;
}

} // namespace millrace::data
