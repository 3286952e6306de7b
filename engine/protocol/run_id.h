// The ids and readable names of runs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::protocol {

/// "20251121-030712-482-9f3ac2": UTC to the millisecond, then randomness; sorts by time.
std::string newRunId();
/// Whether the text may be a run id, and so the name of a folder: a letter or digit, then at most 63 of [A-Za-z0-9_-].
bool isRunId(std::string_view text);
/// The Unix milliseconds in an id that newRunId made; nothing for another's.
std::optional<std::int64_t> timeOfRunId(std::string_view id);
/// "brisk-heron": two words at random. The database appends "-2" where the name is taken.
std::string newRunName();

} // namespace millrace::protocol
