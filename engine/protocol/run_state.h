// The states of a run and the moves between them.
//
//   queued ──► starting ──► running ──► finished
//     │           │          │  ▲ │
//     │           │          │  │ └──► stopping ──► stopped
//     │           │          ▼  │          │
//     │           │         lost           └──► finished | failed
//     └───────────┴──────────┴──► failed | stopped
//   failed | stopped | lost ──► starting      (resume)
#pragma once

#include "kernels/base/result.h"

#include <optional>
#include <string_view>

namespace millrace::protocol {

enum class RunState
{
    Queued,
    Starting,
    Running,
    Stopping,
    Finished,
    Failed,
    Stopped,
    Lost
};

std::string_view name(RunState state);
std::optional<RunState> runStateFromName(std::string_view name);
/// Whether nothing more happens by itself: finished, failed, stopped.
bool isTerminal(RunState state);
/// Whether the drawing above has an arrow from one to the other.
bool canMove(RunState from, RunState to);

} // namespace millrace::protocol
