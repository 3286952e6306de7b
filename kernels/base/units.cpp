#include "kernels/base/units.h"

#include "kernels/base/text.h"

#include <array>
#include <cmath>

namespace millrace {

namespace {
std::string withPrefix(double value, std::string_view unit)
{
    static constexpr std::array<std::string_view, 6> kPrefixes{"", "k", "M", "G", "T", "P"};
    std::size_t index = 0;
    double scaled = std::abs(value);
    while (scaled >= 999.5 && index + 1 < kPrefixes.size()) {
        scaled /= 1000;
        ++index;
    }
    const int decimals = index == 0 ? (scaled == std::floor(scaled) ? 0 : 1) : scaled < 9.995 ? 2 : scaled < 99.95 ? 1 : 0;
    std::string text = fixed(value < 0 ? -scaled : scaled, decimals);
    if (text.find('.') != std::string::npos) {
        text.erase(text.find_last_not_of('0') + 1);
        if (text.back() == '.') text.pop_back();
    }
    if (kPrefixes[index].empty() && unit.empty()) return text;
    return str(text, " ", kPrefixes[index], unit);
}
} // namespace

std::string formatBytes(double bytes)
{
    return withPrefix(bytes, "B");
}

std::string formatShort(double value)
{
    return withPrefix(value, "");
}

std::string formatCount(std::int64_t count)
{
    std::string text = str(count);
    const std::size_t first = text[0] == '-' ? 1 : 0;
    for (std::size_t at = text.size(); at > first + 3; at -= 3) text.insert(at - 3, ",");
    return text;
}

std::string formatDuration(double seconds)
{
    if (!(seconds >= 0)) return "unknown";
    if (seconds < 0.0995) return str(fixed(seconds * 1000, 0), " ms");
    if (seconds < 9.95) return str(fixed(seconds, 1), " s");
    const auto whole = static_cast<std::int64_t>(std::llround(std::min(seconds, 3.0e15)));
    if (whole < 60) return str(whole, " s");
    if (whole < 3600) return str(whole / 60, " min ", whole % 60, " s");
    return str(formatCount(whole / 3600), " h ", whole % 3600 / 60, " min");
}

std::int64_t unixMilliseconds()
{
    using namespace std::chrono;
    return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

std::int64_t monotonicMicroseconds()
{
    using namespace std::chrono;
    return duration_cast<microseconds>(steady_clock::now().time_since_epoch()).count();
}

} // namespace millrace
