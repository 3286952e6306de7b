// Any bytes as a shard of rows: an answer or an error, and only rows of the stated width and with known labels. The
// checksums of header and footer are put right first, so that what they guard is looked at, too.
#include "engine/data/shard_format.h"
#include "engine/data/stored_rows.h"
#include "kernels/base/files.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <unistd.h>

using namespace millrace;

namespace {
void put(std::string& bytes, std::size_t at, std::uint64_t value)
{
    std::memcpy(bytes.data() + at, &value, sizeof value);
}

void mendChecksums(std::string& bytes)
{
    constexpr std::size_t kFooterOffsetAt = 40;
    if (bytes.size() < data::kShardHeaderBytes + 8) return;
    put(bytes, data::kShardHeaderBytes - 8,
        data::shardChecksum(std::string_view(bytes).substr(0, data::kShardHeaderBytes - 8)));
    std::uint64_t offset = 0;
    std::memcpy(&offset, bytes.data() + kFooterOffsetAt, sizeof offset);
    if (offset > bytes.size() - 8) return;
    const auto footer = std::string_view(bytes).substr(offset, bytes.size() - 8 - offset);
    put(bytes, bytes.size() - 8, data::shardChecksum(footer));
}

void readAll(const std::string& path)
{
    const auto rows = data::openShards(path, 0);
    if (!rows) return;
    data::RowsBuffer buffer;
    for (std::int64_t block = 0; block < rows->blocks(); ++block) {
        const auto batch = rows->block(block, buffer);
        if (!batch) continue;
        if (static_cast<std::int64_t>(batch->features.size()) != batch->rows * rows->schema.features.elements())
            std::abort();
        for (const std::int32_t label : batch->labels)
            if (label < 0 || static_cast<std::size_t>(label) >= rows->schema.classes.size()) std::abort();
    }
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* input, std::size_t size)
{
    static const std::string path = "/tmp/millrace-shards-fuzz-" + std::to_string(::getpid()) + ".mrs";
    std::string bytes(reinterpret_cast<const char*>(input), size);
    for (const bool mended : {false, true}) {
        if (mended) mendChecksums(bytes);
        const auto file = FileHandle::open(path, O_WRONLY | O_CREAT | O_TRUNC);
        if (!file || !file->writeAll(bytes)) return 0;
        readAll(path);
    }
    (void)removeAll(path);
    return 0;
}
