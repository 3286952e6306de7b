// This computer as a place where runs execute: launches runners that outlive their launcher, and stops them.
#pragma once

#include "engine/protocol/exit_status.h"
#include "engine/protocol/home.h"
#include "engine/protocol/job.h"

#include <string>
#include <sys/types.h>
#include <vector>

namespace millrace::cluster {

struct LaunchedRun
{
    protocol::Job job; ///< as written, with id and name
    protocol::RunFolder folder;
    pid_t pid = 0;
};

struct EndedRunner
{
    std::string run;
    protocol::ExitStatus status;
};

/// The runner program: $MILLRACE_RUNNER, else `millrace-runner` beside this program.
std::string defaultRunner();

/// Belongs to one thread.
class LocalTarget
{
public:
    /// `runner`: the runner program; by default defaultRunner().
    explicit LocalTarget(protocol::Home home, std::string runner = {});

    /// Makes the run's folder with its job.json and starts the runner in a session of its own, its output in
    /// runner.log. Fills the job's empty run id, name and cache folder.
    /// Errors: AlreadyExists, NotFound (no runner program), DiskFull, Permission, Io; then no folder is left.
    Result<LaunchedRun> launch(protocol::Job job);
    /// Starts a runner again in the folder of a run that ended before it had finished; on `device`, where it is given.
    /// Errors: NotFound, Busy while a runner works there, and those of `launch`.
    Result<LaunchedRun> resume(const std::string& run, const std::string& device = {});
    /// Runners launched by this object that have ended since the last call. Does not wait.
    std::vector<EndedRunner> ended();

private:
    struct Child
    {
        std::string run;
        pid_t pid = 0;
    };

    Result<LaunchedRun> start(protocol::Job job, protocol::RunFolder folder);

    protocol::Home m_home;
    std::string m_runner;
    std::vector<Child> m_children; ///< started and not yet seen to end
};

/// Asks the runner to stop: the file `stop` in its folder, and SIGTERM to wake it.
/// Succeeds where no runner works there. Errors: NotFound (no such folder), Io.
Status requestStop(const protocol::RunFolder& folder);
/// SIGKILL. Succeeds where no runner works there.
Status killRunner(const protocol::RunFolder& folder);

} // namespace millrace::cluster
