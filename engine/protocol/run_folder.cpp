#include "engine/protocol/run_folder.h"

#include "kernels/base/text.h"

#include <chrono>
#include <fcntl.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

namespace millrace::protocol {

namespace {
constexpr auto kLockWait = std::chrono::seconds(2);
constexpr auto kLockInterval = std::chrono::milliseconds(5);

bool hasOpen(pid_t pid, const struct stat& file)
{
    const std::string folder = str("/proc/", pid, "/fd");
    const auto descriptors = listDirectory(folder);
    if (!descriptors) return false;
    for (const std::string& descriptor : *descriptors) {
        struct stat status
        {
        };
        if (::stat(joinPath(folder, descriptor).c_str(), &status) != 0) continue;
        if (status.st_dev == file.st_dev && status.st_ino == file.st_ino) return true;
    }
    return false;
}
} // namespace

Result<FileLock> lockRun(const RunFolder& folder)
{
    const auto end = std::chrono::steady_clock::now() + kLockWait;
    for (;;) {
        auto lock = FileLock::tryAcquire(folder.lock());
        if (lock || lock.error().code != Code::Busy) return lock;
        if (std::chrono::steady_clock::now() >= end)
            return makeError(Code::Busy, str("A runner works in \"", printable(folder.path), "\"."))
                .atFile(folder.lock())
                .advise("Wait until it ends, or stop it.");
        std::this_thread::sleep_for(kLockInterval);
    }
}

Result<FileLock> claimRun(const RunFolder& folder)
{
    MR_TRY(FileLock held, lockRun(folder));
    MR_TRY(const FileHandle pid, FileHandle::open(folder.pid(), O_WRONLY | O_CREAT | O_TRUNC));
    MR_CHECK(pid.writeAll(str(::getpid(), "\n")));
    return held;
}

std::optional<pid_t> runnerPid(const RunFolder& folder)
{
    struct stat lock
    {
    };
    if (::stat(folder.lock().c_str(), &lock) != 0) return std::nullopt;
    const auto text = readFile(folder.pid(), 64);
    if (!text) return std::nullopt;
    const auto number = parseInteger(trimmed(*text));
    if (!number || *number <= 0) return std::nullopt;
    const auto pid = static_cast<pid_t>(*number);
    if (pid != *number || !hasOpen(pid, lock)) return std::nullopt;
    return pid;
}

} // namespace millrace::protocol
