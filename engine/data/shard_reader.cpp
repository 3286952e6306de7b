#include "engine/data/shard_reader.h"

#include "engine/data/stored_rows.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>

namespace millrace::data {

namespace {
constexpr std::uint64_t kIndexBytes = 1u << 20;
/// Pauses before a read that failed is tried again: a network drive that hiccups comes back within these.
constexpr std::array kRetryPauses{std::chrono::milliseconds(100), std::chrono::milliseconds(1000)};

Error refuse(Code code, std::string what, const std::string& file)
{
    return makeError(code, std::move(what)).atFile(file);
}

bool isPlainName(const std::string& name)
{
    return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

/// The files of a folder as its index lists them.
Result<std::vector<std::string>> filesOf(const std::string& folder)
{
    const std::string indexPath = joinPath(folder, kShardIndexName);
    MR_TRY(const std::string text, readFile(indexPath, kIndexBytes));
    const auto index = nlohmann::json::parse(text, nullptr, false);
    if (!index.is_object() || !index.contains("format") || index["format"] != kShardIndexFormat ||
        !index.contains("shards") || !index["shards"].is_array())
        return refuse(Code::InvalidFormat, str("The file is no index of shards of the format ", kShardIndexFormat, "."),
                      indexPath);
    std::vector<std::string> files;
    for (const auto& name : index["shards"]) {
        // a name that leads out of the folder is somebody else's file
        if (!name.is_string() || !isPlainName(name.get<std::string>()))
            return refuse(Code::InvalidFormat, "The index names a shard that is no file of its folder.", indexPath);
        files.push_back(joinPath(folder, name.get<std::string>()));
    }
    if (files.empty() || files.size() > ShardLimits::kShards)
        return refuse(Code::TooLarge,
                      str("The index lists ", files.size(), " shards; 1 to ", ShardLimits::kShards, " are read."),
                      indexPath)
            .advise("Write them again with larger shards.");
    return files;
}

Result<std::vector<std::string>> shardFiles(const std::string& path)
{
    struct stat status
    {
    };
    if (::stat(path.c_str(), &status) != 0) return errnoError("open", path, errno);
    if (S_ISDIR(status.st_mode)) return filesOf(path);
    return std::vector<std::string>{path};
}

ShardTarget targetOf(pipeline::TargetKind kind)
{
    if (kind == pipeline::TargetKind::Classes) return ShardTarget::Labels;
    return kind == pipeline::TargetKind::Number ? ShardTarget::Numbers : ShardTarget::None;
}
} // namespace

Result<std::shared_ptr<const ShardSet>> ShardSet::open(const std::string& path, BeforeRead beforeRead)
{
    auto set = std::shared_ptr<ShardSet>(new ShardSet);
    set->m_path = path;
    set->m_beforeRead = std::move(beforeRead);
    MR_TRY(const auto files, shardFiles(path));
    std::string hashes;
    for (const std::string& file : files) MR_CHECK(set->openShard(file, hashes));
    MR_CHECK(set->listBlocks());
    set->m_contentHash = sha256(hashes);
    return std::shared_ptr<const ShardSet>(std::move(set));
}

Status ShardSet::openShard(const std::string& path, std::string& hashes)
{
    Shard shard;
    // O_NONBLOCK so that a FIFO in the file's place is refused instead of waited for
    MR_TRY(shard.file, FileHandle::open(path, O_RDONLY | O_NONBLOCK));
    struct stat status
    {
    };
    if (::fstat(shard.file.descriptor(), &status) != 0) return errnoError("inspect", path, errno);
    if (!S_ISREG(status.st_mode)) return refuse(Code::InvalidFormat, "The shard is not a regular file.", path);
    shard.sizeBytes = status.st_size;
    shard.changedSeconds = status.st_mtim.tv_sec;
    shard.changedNanoseconds = status.st_mtim.tv_nsec;

    std::string header(kShardHeaderBytes, '\0');
    MR_TRY(const std::size_t count, shard.file.readAt(header.data(), header.size(), 0));
    header.resize(count);
    MR_TRY(shard.header, ShardHeader::fromBytes(header, static_cast<std::uint64_t>(status.st_size), path));
    std::string bytes(shard.header.footerBytes, '\0');
    MR_CHECK(readBytes(shard, shard.header.footerOffset, bytes.data(), bytes.size()));
    MR_TRY(ShardFooter footer, ShardFooter::fromBytes(bytes, shard.header.blocks(), path));
    hashes += header;
    hashes += bytes;
    shard.checksums = std::move(footer.checksums);
    m_sizeBytes += static_cast<std::uint64_t>(status.st_size);
    if (m_shards.empty()) {
        auto described = fromDescription(footer.description);
        if (!described) return std::move(described).error().atFile(path);
        m_description = std::move(*described);
    }
    m_shards.push_back(std::move(shard));
    return {};
}

Status ShardSet::listBlocks()
{
    const pipeline::RowsSchema& schema = m_description.schema;
    for (std::size_t i = 0; i < m_shards.size(); ++i) {
        const ShardHeader& header = m_shards[i].header;
        const std::string& file = m_shards[i].file.path();
        if (header.number != i)
            return refuse(Code::InvalidFormat,
                          str("The shard has the number ", header.number, "; ", i, " is expected here."), file);
        if (static_cast<std::int64_t>(header.rowValues) != schema.features.elements() ||
            header.target != targetOf(schema.target))
            return refuse(Code::InvalidFormat,
                          str("The shard holds rows of ", header.rowValues,
                              " values, which are not those that it describes (", schema.features.toString(), ")."),
                          file);
        for (std::uint64_t block = 0; block < header.blocks(); ++block)
            m_blocks.push_back({i, block,
                                static_cast<std::int64_t>(std::min<std::uint64_t>(
                                    header.blockRows, header.rows - block * header.blockRows))});
        m_rows += static_cast<std::int64_t>(header.rows);
    }
    m_description.schema.rows = m_rows;
    return {};
}

Status ShardSet::checkUnchanged(const Shard& shard) const
{
    struct stat status
    {
    };
    if (::fstat(shard.file.descriptor(), &status) != 0) return errnoError("inspect", shard.file.path(), errno);
    if (status.st_size == shard.sizeBytes && status.st_mtim.tv_sec == shard.changedSeconds &&
        status.st_mtim.tv_nsec == shard.changedNanoseconds)
        return {};
    return refuse(Code::Corrupt, "The dataset changed while it was used.", shard.file.path())
        .advise("Run again when nobody writes to it.");
}

Status ShardSet::readBytes(const Shard& shard, std::uint64_t offset, char* into, std::size_t size) const
{
    for (std::size_t attempt = 0;; ++attempt) {
        Result<std::size_t> count = std::size_t{0};
        if (auto before = m_beforeRead ? m_beforeRead(shard.file.path()) : Status(); before)
            count = shard.file.readAt(into, size, offset);
        else
            count = std::move(before).error();
        if (count && *count == size) return {};
        if (count) {
            MR_CHECK(checkUnchanged(shard));
            return refuse(Code::Corrupt, "The shard ends before its last block.", shard.file.path());
        }
        if (count.error().code != Code::Io || attempt == kRetryPauses.size()) return std::move(count).error();
        std::this_thread::sleep_for(kRetryPauses[attempt]);
    }
}

Status ShardSet::readBlock(std::int64_t index, RowsBuffer& buffer) const
{
    const Block& block = m_blocks[static_cast<std::size_t>(index)];
    const Shard& shard = m_shards[block.shard];
    const ShardHeader& header = shard.header;
    const auto rows = static_cast<std::size_t>(block.rows);
    buffer.features.resize(rows * header.rowValues);
    buffer.labels.resize(header.target == ShardTarget::Labels ? rows : 0);
    buffer.targets.resize(header.target == ShardTarget::Numbers ? rows : 0);
    const auto asChars = [](auto& values) { return reinterpret_cast<char*>(values.data()); };
    const std::size_t featureBytes = buffer.features.size() * sizeof(float),
                      restBytes = header.target == ShardTarget::None ? 0 : rows * 4;
    char* rest = buffer.labels.empty() ? asChars(buffer.targets) : asChars(buffer.labels);
    const std::uint64_t offset = kShardHeaderBytes + block.number * header.blockRows * header.rowBytes();

    MR_CHECK(readBytes(shard, offset, asChars(buffer.features), featureBytes));
    MR_CHECK(readBytes(shard, offset + featureBytes, rest, restBytes));
    if (shardChecksum({asChars(buffer.features), featureBytes}, {rest, restBytes}) != shard.checksums[block.number]) {
        MR_CHECK(checkUnchanged(shard));
        return refuse(Code::Corrupt, str("Block ", block.number, " of the shard does not match its checksum."),
                      shard.file.path())
            .advise("The file is damaged; write it again.");
    }
    const auto classes = static_cast<std::int32_t>(m_description.schema.classes.size());
    if (std::any_of(buffer.labels.begin(), buffer.labels.end(),
                    [&](std::int32_t label) { return label < 0 || label >= classes; }))
        return refuse(Code::InvalidFormat, str("The shard holds a label outside its ", classes, " classes."),
                      shard.file.path());
    return {};
}

Result<Dataset> openShards(const std::string& path, std::uint64_t memoryBytes)
{
    MR_TRY(auto shards, ShardSet::open(path));
    const bool small = shards->sizeBytes() <= memoryBytes;
    Dataset rows = shards->description();
    rows.stored = std::make_shared<const StoredRows>(std::move(shards));
    return small ? inMemory(rows) : rows;
}

} // namespace millrace::data
