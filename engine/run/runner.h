// Executes the job of a run folder: takes the pipeline's stages in order and writes everything into the journal.
#pragma once

#include "kernels/base/result.h"

#include <stop_token>
#include <string>

namespace millrace::run {

/// How a run ended, as the runner's exit status says it too.
enum class Ending
{
    Finished = 0,
    Failed = 1,
    Stopped = 3
};

/// Runs the job in that folder to its end, holding runner.lock. The journal's last event is then a terminal state with
/// its cause. `stop` asks it to stop at the next step, as the file `stop` in the folder does.
/// Errors: only where nothing can be written into the journal (another runner works there, no job, disk full).
Result<Ending> runJob(const std::string& folder, std::stop_token stop);

} // namespace millrace::run
