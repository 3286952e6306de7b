// A runner that answers questions about data and models, one JSON object a line, for the window: files of others are
// read here and models are computed here, never in the window's process.
#pragma once

#include "kernels/base/result.h"

#include <iosfwd>
#include <string>
#include <string_view>

namespace millrace::run {

/// Reads requests until the end of the input and writes one answer for each, in their order:
///   {"id": 1, "inspect": {"type", "params", "base"}}         → {"id": 1, "schema": {…RowsSchema…}}
///   {"id": 2, "predict": {"model": path, "row": "1,2,…" | "values": […] | "image": {"width", "height", "pixels":
///   [0…1]}}}
///                                                            → {"id": 2, "prediction": {"classes", "probabilities"} |
///                                                            {"value"}}
///   {"id": 3, "describe": {"model": path}}                   → {"id": 3, "model": {"schema", "classes", "parameters",
///   "layers", "columns"}}
///   {"id": 4, "bench": {"workload": name | "machine", "device", "precision", "batch", "seconds", "threads",
///   "operations"}}
///                                                            → {"id": 4, "bench": {…runWorkload, measureMachine…}}
///   {"id": 5, "generate": {"model": path, "device", "prompt", "tokens", "temperature", "top_k", "top_p", "seed"}}
///                                                            → {"id": 5, "more": true, "text"} for each piece, then
///                                                            {"id": 5, "generated": {"prompt_tokens",
///                                                            "prompt_seconds", "tokens", "seconds", "stopped"}}
///   {"id": 6, "devices": {}}                               → {"id": 6, "devices": [{"uuid", "name", "index",
///                                                            "memory_bytes", "free_bytes"?}]}
/// or {"id": n, "error": {…}}. {"cancel": 5} stops the answer to 5, which then ends early, and has none of its own. An
/// image has the size of the model's and runs from 0 (paper) to 1 (ink).
void answerRequests(std::istream& requests, std::ostream& answers);

} // namespace millrace::run
