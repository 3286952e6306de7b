// The group of ranks on CPUs: Gloo's TCP transport between the ranks, a thread of ours that makes the operations.
#pragma once

#include "engine/collective/collective.h"

namespace millrace::collective {

/// Returns when all ranks are connected. One rank needs no network and gets soleRank(Memory::Host).
/// Errors: those of checkSettings; those of Group::wait for a rank that does not come; Io with what Gloo says.
Result<std::unique_ptr<Group>> createGlooGroup(const GroupSettings& settings);

} // namespace millrace::collective
