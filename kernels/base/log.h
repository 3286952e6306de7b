// One line on standard error per message, with time and level; for programs' own diagnostics, not for users' errors.
#pragma once

#include <string_view>

namespace millrace {

enum class LogLevel { Debug, Info, Warning, Error };

/// Messages under the level are dropped; Info unless set. Thread-safe.
void setLogLevel(LogLevel level);
void log(LogLevel level, std::string_view message);

} // namespace millrace
