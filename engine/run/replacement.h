// A runner whose GPU was lost is of no more use, since CUDA's context went with it: it becomes a new process, by exec,
// that goes on from the last checkpoint on another GPU. Its process id stays, and so does its hold on the run.
#pragma once

#include "engine/protocol/run_folder.h"

#include <optional>
#include <string>
#include <vector>

namespace millrace::run {

/// What a process that was replaced handed on.
struct Replacement
{
    std::optional<FileLock> lock;      ///< runner.lock, held all the while
    std::vector<std::string> excluded; ///< UUIDs of the GPUs that were lost

    /// Taken from the environment, where replaceProcess put it; empty in a process that replaces none.
    static Replacement take(const protocol::RunFolder& folder);
};

/// Starts this program anew on the run. Returns only where that fails.
Error replaceProcess(const protocol::RunFolder& folder, const FileLock& lock, const std::vector<std::string>& excluded);

} // namespace millrace::run
