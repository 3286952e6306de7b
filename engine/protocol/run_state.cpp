#include "engine/protocol/run_state.h"

#include <array>
#include <utility>

namespace millrace::protocol {

namespace {
using enum RunState;

constexpr std::array<std::pair<RunState, std::string_view>, 8> kNames{{
    {Queued, "queued"},
    {Starting, "starting"},
    {Running, "running"},
    {Stopping, "stopping"},
    {Finished, "finished"},
    {Failed, "failed"},
    {Stopped, "stopped"},
    {Lost, "lost"},
}};
} // namespace

std::string_view name(RunState state)
{
    return kNames[static_cast<std::size_t>(state)].second;
}

std::optional<RunState> runStateFromName(std::string_view name)
{
    for (const auto& [state, known] : kNames)
        if (known == name) return state;
    return std::nullopt;
}

bool isTerminal(RunState state)
{
    return state == Finished || state == Failed || state == Stopped;
}

bool canMove(RunState from, RunState to)
{
    switch (from) {
    case Queued:
        return to == Starting || to == Failed || to == Stopped;
    case Starting:
        return to == Running || to == Failed || to == Stopped;
    case Running:
        return to == Finished || to == Stopping || to == Lost || to == Failed || to == Stopped;
    case Stopping:
        return to == Stopped || to == Finished || to == Failed;
    case Finished:
        return false;
    case Failed:
    case Stopped:
        return to == Starting;
    case Lost:
        return to == Running || to == Starting;
    }
    return false;
}

} // namespace millrace::protocol
