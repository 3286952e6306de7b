// Quantities as people read them.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace millrace {

/// "214 MB" (powers of 1000, three significant digits).
std::string formatBytes(double bytes);
/// "1,797": digits grouped by thousands.
std::string formatCount(std::int64_t count);
/// "40.9 k", "2.1 M": three significant digits and an SI prefix.
std::string formatShort(double value);
/// "9 s", "2 min 5 s", "1 h 3 min"; below ten seconds with one decimal.
std::string formatDuration(double seconds);

/// Unix time in milliseconds, now.
std::int64_t unixMilliseconds();
/// A clock that never goes back, in microseconds from an arbitrary point.
std::int64_t monotonicMicroseconds();

} // namespace millrace
