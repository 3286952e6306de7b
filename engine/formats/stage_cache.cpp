#include "engine/formats/stage_cache.h"

#include "kernels/base/files.h"
#include "kernels/base/log.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <filesystem>
#include <sys/stat.h>
#include <tuple>
#include <vector>

namespace millrace::formats {

namespace {
constexpr std::int64_t kLeftoverSeconds = 24 * 3600;

bool isKey(std::string_view name)
{
    return !name.empty() && !name.starts_with('.') && name.find(".tmp-") == std::string_view::npos &&
           name.find('/') == std::string_view::npos;
}

Error badKey(std::string_view key)
{
    return makeError(Code::InvalidArgument, str("\"", printable(key), "\" is no cache key."));
}

std::uint64_t folderBytes(const std::string& path)
{
    std::uint64_t sum = 0;
    std::error_code code;
    for (const auto& file : std::filesystem::directory_iterator(path, code)) {
        const auto bytes = file.file_size(code);
        if (!code) sum += bytes;
    }
    return sum;
}
} // namespace

Result<StageCache> StageCache::open(std::string folder)
{
    MR_CHECK(makeDirectories(folder));
    removeLeftovers(folder, kLeftoverSeconds);
    return StageCache(std::move(folder));
}

Result<std::optional<CommittedFolder>> StageCache::load(const std::string& key) const
{
    if (!isKey(key)) return badKey(key);
    const std::string path = joinPath(m_folder, key);
    auto folder = loadFolder(path);
    if (folder) {
        // marks it as used; where that fails it is only discarded earlier
        std::error_code code;
        std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now(), code);
        return std::optional(std::move(*folder));
    }
    if (folder.error().code == Code::Corrupt) {
        log(LogLevel::Warning, str("A damaged cache entry is discarded: ", folder.error().toString()));
        MR_CHECK(discardFolder(path));
        return std::optional<CommittedFolder>();
    }
    // written by a newer version, or gone: the stage runs again
    if (folder.error().code == Code::NotFound || folder.error().code == Code::NewerFormat)
        return std::optional<CommittedFolder>();
    return std::move(folder).error();
}

Result<CommittedFolder> StageCache::store(const std::string& key, const FilesToWrite& files,
                                          const nlohmann::json& meta) const
{
    if (!isKey(key)) return badKey(key);
    return commitFolder(m_folder, key, files, meta, IfCommitted::Keep);
}

Status StageCache::trim(std::uint64_t limitBytes) const
{
    struct Entry
    {
        std::int64_t usedSeconds, usedNanoseconds;
        std::string path;
        std::uint64_t bytes;
    };
    MR_TRY(const auto names, listDirectory(m_folder));
    std::vector<Entry> entries;
    for (const std::string& name : names) {
        const std::string path = joinPath(m_folder, name);
        struct stat status
        {
        };
        if (isKey(name) && ::stat(path.c_str(), &status) == 0)
            entries.push_back({status.st_mtim.tv_sec, status.st_mtim.tv_nsec, path, folderBytes(path)});
    }
    std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) {
        return std::tie(a.usedSeconds, a.usedNanoseconds, a.path) > std::tie(b.usedSeconds, b.usedNanoseconds, b.path);
    });
    std::uint64_t sum = 0;
    for (const Entry& entry : entries) {
        sum += entry.bytes;
        if (sum > limitBytes) MR_CHECK(discardFolder(entry.path));
    }
    return {};
}

} // namespace millrace::formats
