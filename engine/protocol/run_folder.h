// The names of the files in a run's folder, $MILLRACE_HOME/runs/<id>/, and who works in it.
#pragma once

#include "kernels/base/files.h"

#include <optional>
#include <string>
#include <sys/types.h>

namespace millrace::protocol {

struct RunFolder
{
    std::string path;

    std::string job() const { return path + "/job.json"; }
    std::string journal() const { return path + "/journal.jsonl"; }
    /// Held (flock) by the runner as long as it lives: whoever can take it knows that no runner works here.
    std::string lock() const { return path + "/runner.lock"; }
    std::string pid() const { return path + "/runner.pid"; }
    /// What the runner wrote to standard output and error.
    std::string output() const { return path + "/runner.log"; }
    /// Its presence asks the runner to stop at the next step.
    std::string stopRequest() const { return path + "/stop"; }
    std::string checkpoints() const { return path + "/checkpoints"; }
    std::string artifacts() const { return path + "/artifacts"; }
};

/// Takes runner.lock. Watchers hold it for an instant when they look whether a runner lives, so this waits up to two
/// seconds. Errors: Busy while a runner works there; Io, Permission, NotFound.
Result<FileLock> lockRun(const RunFolder& folder);
/// Makes this process the folder's runner: lockRun, and its pid in runner.pid.
Result<FileLock> claimRun(const RunFolder& folder);
/// The process that holds runner.lock; nothing where none does. What runner.pid says is believed only after that
/// process was seen to have the lock file open, so a pid that was reused is never taken for the runner.
std::optional<pid_t> runnerPid(const RunFolder& folder);

} // namespace millrace::protocol
