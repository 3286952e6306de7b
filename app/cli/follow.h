// Following a run from the command line until it ends.
#pragma once

#include "app/cli/verb.h"
#include "cluster/local_target.h"

#include <functional>
#include <string>

namespace millrace::cli {

/// Polls until the run has ended and hands over each of its events as it comes. `target`: where it was launched from
/// here, so that a killed runner's signal is known; may be null. Ctrl+C asks the run to stop and goes on following;
/// pressed again, it leaves the run alone and returns Cancelled. `afterSeq`: for a resumed run, its last event so far.
Status follow(Record& record, const std::string& run, cluster::LocalTarget* target,
              const std::function<void(const protocol::Event&)>& onEvent, std::int64_t afterSeq = -1);

} // namespace millrace::cli
