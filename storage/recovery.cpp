#include "storage/recovery.h"

#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "storage/connection.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <fcntl.h>

namespace millrace::storage {

namespace {
Status renameFile(const std::string& from, const std::string& to)
{
    if (::rename(from.c_str(), to.c_str()) != 0 && errno != ENOENT) return errnoError("rename", from, errno);
    return {};
}

/// A database that was closed, block by block.
Status copyFile(const std::string& from, const std::string& to)
{
    MR_TRY(const FileHandle source, FileHandle::open(from, O_RDONLY));
    MR_TRY(const FileHandle target, FileHandle::open(to, O_WRONLY | O_CREAT | O_EXCL, 0600));
    std::string block(1u << 20, '\0');
    for (;;) {
        MR_TRY(const std::size_t count, source.read(block.data(), block.size()));
        if (count == 0) break;
        MR_CHECK(target.writeAll(std::string_view(block).substr(0, count)));
    }
    return target.sync();
}

Status verifyClosed(const std::string& path)
{
    MR_TRY(const auto connection, Connection::open(path, Access::ReadOnly, {}));
    return connection->quickCheck();
}
} // namespace

std::vector<std::string> backupsOf(const std::string& databasePath)
{
    const std::string folder = joinPath(parentPath(databasePath), "backups");
    const auto names = listDirectory(folder);
    std::vector<std::string> backups;
    if (!names) return backups;
    for (const std::string& name : *names)
        if (name.starts_with("millrace-") && name.ends_with(".db")) backups.push_back(joinPath(folder, name));
    // the names begin with the time
    std::reverse(backups.begin(), backups.end());
    return backups;
}

Result<std::string> putAside(const std::string& databasePath, const std::string& backup)
{
    auto held = FileLock::tryAcquire(databasePath + ".lock");
    if (!held) return std::move(held).error();
    const std::string incoming = databasePath + ".restored";
    if (!backup.empty()) {
        MR_CHECK(removeAll(incoming));
        MR_CHECK(copyFile(backup, incoming));
        // a damaged backup must not take the place of anything
        if (auto readable = verifyClosed(incoming); !readable) {
            MR_CHECK(removeAll(incoming));
            return std::move(readable).error();
        }
    }
    const std::string aside = str(databasePath, ".damaged-", unixMilliseconds());
    MR_CHECK(renameFile(databasePath + "-wal", aside + "-wal"));
    MR_CHECK(renameFile(databasePath + "-shm", aside + "-shm"));
    MR_CHECK(renameFile(databasePath, aside));
    if (!backup.empty()) MR_CHECK(renameFile(incoming, databasePath));
    MR_CHECK(syncDirectory(parentPath(databasePath)));
    return aside;
}

} // namespace millrace::storage
