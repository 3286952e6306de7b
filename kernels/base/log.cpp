#include "kernels/base/log.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <array>
#include <atomic>
#include <unistd.h>

namespace millrace {

namespace {
std::atomic<LogLevel> g_level{LogLevel::Info};
}

void setLogLevel(LogLevel level)
{
    g_level = level;
}

void log(LogLevel level, std::string_view message)
{
    if (level < g_level.load()) return;
    static constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warning", "error"};
    const std::string line = str(unixMilliseconds(), " ", kNames[static_cast<std::size_t>(level)], " ", message, "\n");
    // one write per line keeps the lines of several threads apart; nothing can be done where it fails
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

} // namespace millrace
