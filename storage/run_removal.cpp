#include "storage/run_removal.h"

#include "engine/protocol/run_folder.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <cerrno>
#include <cstdio>

namespace millrace::storage {

namespace {
constexpr std::string_view kTrash = ".trash-";

Status renameFolder(const std::string& from, const std::string& to)
{
    if (::rename(from.c_str(), to.c_str()) != 0) return errnoError("rename", from, errno);
    return {};
}
} // namespace

Status removeRun(TrackingDatabase& database, const protocol::Home& home, const std::string& run)
{
    MR_TRY(const protocol::RunFolder folder, home.run(run));
    const std::string trash = str(home.runs(), "/", kTrash, run);
    if (!exists(folder.path)) {
        MR_CHECK(database.deleteRun(run));
        return removeAll(trash);
    }
    MR_TRY(const FileLock noRunner, protocol::lockRun(folder));
    MR_CHECK(removeAll(trash));
    // the folder goes out of sight first, or a follower would take it for a run that the database has lost
    MR_CHECK(renameFolder(folder.path, trash));
    if (auto deleted = database.deleteRun(run); !deleted && deleted.error().code != Code::NotFound) {
        MR_CHECK(renameFolder(trash, folder.path));
        return deleted;
    }
    return removeAll(trash);
}

Status emptyTrash(const protocol::Home& home)
{
    const auto names = listDirectory(home.runs());
    if (!names) return names.error().code == Code::NotFound ? Status() : Status(names.error());
    for (const std::string& name : *names)
        if (name.starts_with(kTrash)) MR_CHECK(removeAll(joinPath(home.runs(), name)));
    return {};
}

} // namespace millrace::storage
