// The workload that writes text instead of training: token by token, each row of the batch a text of its own.
#pragma once

#include "engine/execute/place.h"
#include "engine/run/workloads.h"

namespace millrace::run {

/// As runWorkload, of texts that begin with one token and go on with the likeliest ones. A step is the whole of
/// them; rows_per_second counts tokens. The weights are made up: what is written means nothing.
Result<nlohmann::json> runGeneration(const Workload& workload, const WorkloadOptions& options,
                                     const execute::Place& place, std::stop_token stop);

} // namespace millrace::run
