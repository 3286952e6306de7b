#include "cluster/local_target.h"

#include "engine/protocol/run_id.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace millrace::cluster {

namespace {
constexpr std::uint64_t kJobBytes = 64u << 20;

/// How the runner is started: nothing of this process but its environment and the three streams.
class SpawnSettings
{
public:
    explicit SpawnSettings(const protocol::RunFolder& folder)
    {
        ::posix_spawn_file_actions_init(&m_actions);
        ::posix_spawnattr_init(&m_attributes);
        const std::string output = folder.output();
        note(::posix_spawn_file_actions_addopen(&m_actions, 0, "/dev/null", O_RDONLY, 0));
        note(::posix_spawn_file_actions_addopen(&m_actions, 1, output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600));
        note(::posix_spawn_file_actions_adddup2(&m_actions, 1, 2));
        note(::posix_spawn_file_actions_addclosefrom_np(&m_actions, 3));
        note(::posix_spawn_file_actions_addchdir_np(&m_actions, folder.path.c_str()));
        // a session of its own: closing the terminal or the window sends it nothing
        note(::posix_spawnattr_setflags(&m_attributes,
                                        POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
        sigset_t signals{};
        ::sigemptyset(&signals);
        note(::posix_spawnattr_setsigmask(&m_attributes, &signals));
        ::sigfillset(&signals);
        note(::posix_spawnattr_setsigdefault(&m_attributes, &signals));
    }
    ~SpawnSettings()
    {
        ::posix_spawn_file_actions_destroy(&m_actions);
        ::posix_spawnattr_destroy(&m_attributes);
    }
    SpawnSettings(const SpawnSettings&) = delete;
    SpawnSettings& operator=(const SpawnSettings&) = delete;

    Result<pid_t> spawn(const std::string& program, const std::string& argument) const
    {
        if (m_error != 0) return errnoError("prepare to start", program, m_error);
        std::string first = program, second = argument;
        std::array<char*, 3> arguments{first.data(), second.data(), nullptr};
        pid_t pid = 0;
        const int error = ::posix_spawn(&pid, program.c_str(), &m_actions, &m_attributes, arguments.data(), environ);
        if (error == ENOENT)
            return makeError(Code::NotFound, str("There is no runner program \"", printable(program), "\"."))
                .atFile(program)
                .advise("Install Millrace whole, or set MILLRACE_RUNNER to the path of millrace-runner.");
        if (error != 0) return errnoError("start", program, error);
        return pid;
    }

private:
    void note(int error)
    {
        if (m_error == 0) m_error = error;
    }

    posix_spawn_file_actions_t m_actions{};
    posix_spawnattr_t m_attributes{};
    int m_error = 0;
};

/// A signal for the runner that holds the folder's lock. The handle is opened before the process is looked at, so that
/// the signal cannot reach another process that got the same number.
Status signalRunner(const protocol::RunFolder& folder, int signal)
{
    const auto pid = protocol::runnerPid(folder);
    if (!pid) return {};
    const FileHandle process(static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)), str("process ", *pid));
    if (!process.isOpen()) return errno == ESRCH ? Status() : Status(errnoError("find", process.path(), errno));
    if (protocol::runnerPid(folder) != pid) return {};
    if (::syscall(SYS_pidfd_send_signal, process.descriptor(), signal, nullptr, 0) != 0 && errno != ESRCH)
        return errnoError("signal", process.path(), errno);
    return {};
}

/// Under another name until job.json is in it: a watcher never sees a run's folder without one.
Status makeRunFolder(const protocol::Home& home, const protocol::RunFolder& folder, const protocol::Job& job)
{
    if (exists(folder.path))
        return makeError(Code::AlreadyExists, str("There is a run ", job.run, " already.")).atFile(folder.path);
    const protocol::RunFolder unfinished{str(home.runs(), "/.new-", job.run)};
    MR_CHECK(makeDirectories(unfinished.path));
    Status made = durableReplace(unfinished.job(), protocol::toText(job));
    if (made && ::rename(unfinished.path.c_str(), folder.path.c_str()) != 0)
        made = errnoError("rename", unfinished.path, errno);
    if (!made) {
        MR_CHECK(removeAll(unfinished.path));
        return made;
    }
    return syncDirectory(home.runs());
}

Status checkFolder(const protocol::RunFolder& folder)
{
    if (exists(folder.path)) return {};
    return makeError(Code::NotFound, str("There is no run folder \"", printable(folder.path), "\"."))
        .atFile(folder.path);
}
} // namespace

std::string defaultRunner()
{
    if (const char* given = std::getenv("MILLRACE_RUNNER"); given && *given != '\0') return absolutePath(given);
    std::array<char, 4096> buffer{};
    const ssize_t length = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
    const std::string self(buffer.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
    return joinPath(parentPath(self), "millrace-runner");
}

LocalTarget::LocalTarget(protocol::Home home, std::string runner)
    : m_home(std::move(home)), m_runner(runner.empty() ? defaultRunner() : absolutePath(runner))
{
}

Result<LaunchedRun> LocalTarget::launch(protocol::Job job)
{
    if (job.run.empty()) job.run = protocol::newRunId();
    if (job.name.empty()) job.name = protocol::newRunName();
    if (job.cacheDirectory.empty()) job.cacheDirectory = m_home.cache();
    MR_TRY(const protocol::RunFolder folder, m_home.run(job.run));
    MR_CHECK(m_home.create());
    MR_CHECK(makeRunFolder(m_home, folder, job));
    auto launched = start(std::move(job), folder);
    if (!launched) MR_CHECK(removeAll(folder.path));
    return launched;
}

Result<LaunchedRun> LocalTarget::resume(const std::string& run, const std::string& device)
{
    MR_TRY(const protocol::RunFolder folder, m_home.run(run));
    MR_CHECK(checkFolder(folder));
    MR_TRY(const std::string text, readFile(folder.job(), kJobBytes));
    MR_TRY(protocol::Job job, protocol::jobFromText(text));
    {
        MR_TRY(const FileLock noRunner, protocol::lockRun(folder));
        job.resume = true;
        if (!device.empty()) job.device = device;
        MR_CHECK(removeAll(folder.stopRequest()));
        MR_CHECK(durableReplace(folder.job(), protocol::toText(job)));
    }
    return start(std::move(job), folder);
}

Result<LaunchedRun> LocalTarget::start(protocol::Job job, protocol::RunFolder folder)
{
    const SpawnSettings settings(folder);
    MR_TRY(const pid_t pid, settings.spawn(m_runner, folder.path));
    m_children.push_back({job.run, pid});
    return LaunchedRun{std::move(job), std::move(folder), pid};
}

std::vector<EndedRunner> LocalTarget::ended()
{
    std::vector<EndedRunner> ended;
    std::erase_if(m_children, [&](const Child& child) {
        int status = 0;
        const pid_t answer = ::waitpid(child.pid, &status, WNOHANG);
        if (answer > 0) ended.push_back({child.run, protocol::ExitStatus::fromWait(status)});
        return answer > 0 || (answer < 0 && errno != EINTR);
    });
    return ended;
}

Status requestStop(const protocol::RunFolder& folder)
{
    MR_CHECK(checkFolder(folder));
    MR_TRY(const FileHandle request, FileHandle::open(folder.stopRequest(), O_WRONLY | O_CREAT));
    return signalRunner(folder, SIGTERM);
}

Status killRunner(const protocol::RunFolder& folder)
{
    MR_CHECK(checkFolder(folder));
    return signalRunner(folder, SIGKILL);
}

} // namespace millrace::cluster
