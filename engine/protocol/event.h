// What a runner says: one Event is one line of journal.jsonl.
#pragma once

#include "engine/protocol/run_state.h"
#include "kernels/base/result.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::protocol {

/// {"seq": 41, "t": 1760000000123, "m": 5211, "kind": "metric", …the fields of its kind…}
///
/// kind        fields
/// state       state, cause? (an error as in `errorToJson`), stage?
/// param       node, name, value                          one per parameter, at the start of a run
/// stage       stage (node id), type, state (waiting|running|finished|cached|failed|skipped), seconds?,
///             progress? {epoch, epochs, step, steps, loss, accuracy, samples_per_second, remaining_seconds}, facts?
/// metric      stage, points: [[name, step, value], …]     NaN and infinities as the strings "NaN", "Infinity",
/// "-Infinity" log         level (debug|info|warning|error), text, stage? artifact    stage, role (model|confusion|…),
/// path (relative to the run folder), sha256, bytes, and for role
///             "model": name?, alias?, classes, metrics; for "confusion": classes, counts (rows true, columns
///             predicted)
/// checkpoint  stage, step, epoch, path (relative), sha256 (of its manifest), bytes
/// telemetry   cpu_percent, process_cpu_percent, memory_bytes, host_memory_used_bytes, host_memory_bytes,
///             devices: [{uuid, name?, utilization_percent?, memory_used_bytes?, memory_bytes?, power_watts?,
///             power_limit_watts?, temperature_celsius?, sm_clock_mhz?, memory_clock_mhz?, throttle?: [reason],
///             processes?: [{pid, memory_bytes?}]} | {uuid, lost: true}]
/// prediction, error: as their writers define
struct Event
{
    std::int64_t seq = 0;         ///< from 1, without gaps
    std::int64_t timeMs = 0;      ///< Unix milliseconds of the writer
    std::int64_t monotonicMs = 0; ///< milliseconds since the run's first start on the writer's monotonic clock
    std::string kind;
    nlohmann::json fields = nlohmann::json::object(); ///< everything but seq, t, m, kind
};

/// One line without the newline.
std::string toLine(const Event& event);
/// Errors: InvalidFormat with what is wrong. Unknown kinds and fields are kept.
Result<Event> parseEvent(std::string_view line);

nlohmann::json errorToJson(const Error& error);
Error errorFromJson(const nlohmann::json& json);

/// A metric value as JSON: a number, or "NaN", "Infinity", "-Infinity".
nlohmann::json metricValue(double value);
/// Nothing where the JSON is none of these.
std::optional<double> metricValueFrom(const nlohmann::json& json);

} // namespace millrace::protocol
