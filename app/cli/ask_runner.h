// Questions that only the engine can answer, asked of a runner: the command itself links no kernels.
#pragma once

#include "kernels/base/result.h"

#include <functional>
#include <nlohmann/json.hpp>

namespace millrace::cli {

/// Starts `millrace-runner --answer`, asks and returns the answer (see engine/run/answers.h). Lines that come before
/// the last one (with "more": true) go to `partly`. The runner ends with the call.
/// Errors: NotFound without a runner program, Io where it ends without an answer, and the answer's own.
Result<nlohmann::json> askRunner(nlohmann::json request, const std::function<void(const nlohmann::json&)>& partly = {});

} // namespace millrace::cli
