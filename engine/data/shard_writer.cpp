#include "engine/data/shard_writer.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

namespace millrace::data {

namespace {
template <class T> std::string_view bytesOf(const std::vector<T>& values)
{
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

ShardTarget targetOf(pipeline::TargetKind kind)
{
    if (kind == pipeline::TargetKind::Classes) return ShardTarget::Labels;
    return kind == pipeline::TargetKind::Number ? ShardTarget::Numbers : ShardTarget::None;
}

template <class T> void append(std::vector<T>& to, std::span<const T> from, std::size_t first, std::size_t count)
{
    if (from.empty()) return;
    const auto part = from.subspan(first, count);
    to.insert(to.end(), part.begin(), part.end());
}

Error inTheWay(const std::string& folder)
{
    return makeError(Code::AlreadyExists, "There is something else where the shards are to be written.")
        .atFile(folder)
        .advise("Choose another folder, or remove what is there.");
}
} // namespace

Result<ShardWriter> ShardWriter::create(const std::string& folder, const Dataset& description, ShardSizes sizes)
{
    ShardWriter writer;
    writer.m_folder = folder;
    writer.m_sizes = sizes;
    writer.m_header.rowValues = static_cast<std::uint32_t>(description.schema.features.elements());
    writer.m_header.target = targetOf(description.schema.target);
    const std::uint64_t rowBytes = writer.m_header.rowBytes();
    if (rowBytes == 0 || rowBytes > ShardLimits::kBlockBytes)
        return makeError(Code::TooLarge,
                         str("A row takes ", rowBytes, " bytes; 1 to ", ShardLimits::kBlockBytes, " can be written."));
    writer.m_header.blockRows = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(sizes.blockBytes / rowBytes, 1, ShardLimits::kBlockBytes / rowBytes));
    writer.m_footer.description = describe(description);
    MR_CHECK(makeDirectories(parentPath(folder)));
    const std::string temporary = str(folder, ".tmp-", ::getpid());
    MR_CHECK(removeAll(temporary));
    MR_CHECK(makeDirectories(temporary));
    writer.m_temporary = temporary;
    return writer;
}

ShardWriter::~ShardWriter()
{
    if (!m_temporary.empty()) (void)removeAll(m_temporary);
}

Status ShardWriter::beginShard()
{
    if (m_names.size() == ShardLimits::kShards)
        return makeError(Code::TooLarge, str("The rows need more than ", ShardLimits::kShards, " shards."))
            .atFile(m_folder)
            .advise("Write larger shards.");
    const std::string number = str(m_names.size());
    m_header.number = static_cast<std::uint32_t>(m_names.size());
    m_header.rows = 0;
    m_footer.checksums.clear();
    m_names.push_back(str("rows-", std::string(5 - std::min<std::size_t>(number.size(), 5), '0'), number, ".mrs"));
    MR_TRY(m_file, FileHandle::open(joinPath(m_temporary, m_names.back()), O_RDWR | O_CREAT | O_EXCL));
    m_written = kShardHeaderBytes;
    return m_file->writeAll(std::string(kShardHeaderBytes, '\0')); // its content is known when the shard ends
}

Status ShardWriter::writeBlock()
{
    const std::string_view features = bytesOf(m_block.features);
    const std::string_view rest = m_block.labels.empty() ? bytesOf(m_block.targets) : bytesOf(m_block.labels);
    if (!m_file) MR_CHECK(beginShard());
    MR_CHECK(m_file->writeAll(features));
    MR_CHECK(m_file->writeAll(rest));
    m_footer.checksums.push_back(shardChecksum(features, rest));
    m_header.rows += m_block.features.size() / m_header.rowValues;
    m_written += features.size() + rest.size();
    m_block.features.clear();
    m_block.labels.clear();
    m_block.targets.clear();
    return m_written >= m_sizes.shardBytes ? endShard(m_durable) : Status();
}

Status ShardWriter::endShard(bool durable)
{
    const std::string footer = m_footer.toBytes();
    MR_CHECK(m_file->writeAll(footer));
    m_header.footerOffset = m_written;
    m_header.footerBytes = footer.size();
    if (::lseek(m_file->descriptor(), 0, SEEK_SET) != 0) return errnoError("write", m_file->path(), errno);
    const auto header = m_header.toBytes();
    MR_CHECK(m_file->writeAll({header.data(), header.size()}));
    if (durable) MR_CHECK(m_file->sync());
    m_file.reset();
    return {};
}

Status ShardWriter::add(const Batch& rows)
{
    const std::size_t width = m_header.rowValues, count = static_cast<std::size_t>(rows.rows);
    for (std::size_t first = 0; first < count;) {
        const std::size_t room = m_header.blockRows - m_block.features.size() / width;
        const std::size_t taken = std::min(room, count - first);
        append(m_block.features, rows.features, first * width, taken * width);
        append(m_block.labels, rows.labels, first, taken);
        append(m_block.targets, rows.targets, first, taken);
        first += taken;
        if (taken == room) MR_CHECK(writeBlock());
    }
    return {};
}

Status ShardWriter::finish(bool durable)
{
    m_durable = durable;
    if (!m_block.features.empty()) MR_CHECK(writeBlock());
    if (m_file) MR_CHECK(endShard(durable));
    if (m_names.empty()) return makeError(Code::InvalidArgument, "There are no rows to write.");
    const nlohmann::json index = {{"format", kShardIndexFormat}, {"shards", m_names}};
    MR_CHECK(durableReplace(joinPath(m_temporary, kShardIndexName), index.dump(1) + "\n"));
    if (exists(m_folder)) {
        if (!exists(joinPath(m_folder, kShardIndexName))) return inTheWay(m_folder);
        MR_CHECK(removeAll(m_folder));
    }
    if (std::rename(m_temporary.c_str(), m_folder.c_str()) != 0) return errnoError("name", m_folder, errno);
    m_temporary.clear();
    return durable ? syncDirectory(parentPath(m_folder)) : Status();
}

Status writeShards(const Dataset& rows, const std::string& folder, ShardSizes sizes, std::stop_token stop)
{
    if (exists(folder) && !exists(joinPath(folder, kShardIndexName))) return inTheWay(folder);
    MR_TRY(ShardWriter writer, ShardWriter::create(folder, rows, sizes));
    MR_CHECK(forEachBlock(rows, stop, [&](const Batch& batch) { return writer.add(batch); }));
    return writer.finish(true);
}

} // namespace millrace::data
