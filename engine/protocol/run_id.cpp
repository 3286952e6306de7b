#include "engine/protocol/run_id.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <random>

namespace millrace::protocol {

namespace {
constexpr std::array<std::string_view, 64> kAdjectives{
    "able",   "amber",   "ample",  "apt",   "azure",  "bold",     "brave",  "bright", "brisk", "calm",  "civil",
    "clear",  "clever",  "cosy",   "crisp", "deft",   "eager",    "early",  "exact",  "fair",  "fine",  "firm",
    "fleet",  "fond",    "frank",  "fresh", "gentle", "glad",     "golden", "grand",  "green", "hardy", "honest",
    "humble", "jolly",   "keen",   "kind",  "lively", "lucid",    "lucky",  "mellow", "merry", "mild",  "neat",
    "noble",  "patient", "placid", "plain", "polite", "proud",    "quick",  "quiet",  "rapid", "ready", "sharp",
    "silver", "steady",  "sunny",  "swift", "tidy",   "tranquil", "vivid",  "warm",   "wise"};
constexpr std::array<std::string_view, 64> kNouns{
    "alder",  "badger",  "beech",  "birch",  "bittern", "brook",  "cedar",  "clover", "comet", "cove",    "crane",
    "creek",  "curlew",  "dale",   "delta",  "dove",    "eider",  "elm",    "falcon", "fern",  "finch",   "fjord",
    "gull",   "harbor",  "hare",   "hazel",  "heath",   "heron",  "ibis",   "island", "ivy",   "juniper", "kestrel",
    "lagoon", "larch",   "lark",   "linden", "lynx",    "maple",  "marten", "meadow", "moss",  "oak",     "orchid",
    "osprey", "otter",   "pebble", "pine",   "plover",  "quail",  "reef",   "ridge",  "robin", "rowan",   "sedge",
    "shore",  "sparrow", "spruce", "swan",   "tern",    "thrush", "tundra", "willow", "wren"};

// time and entropy name a run; nothing that a run computes comes from here
std::uint32_t entropy()
{
    static std::random_device device;
    return device();
}

bool isAlphanumeric(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::optional<int> digits(std::string_view text, std::size_t from, std::size_t count)
{
    int value = 0;
    for (const char c : text.substr(from, count)) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}
} // namespace

std::string newRunId()
{
    const std::int64_t now = unixMilliseconds();
    const std::time_t seconds = static_cast<std::time_t>(now / 1000);
    std::tm utc{};
    ::gmtime_r(&seconds, &utc);
    std::array<char, 64> text{};
    std::snprintf(text.data(), text.size(), "%04d%02d%02d-%02d%02d%02d-%03d-%06x", utc.tm_year + 1900, utc.tm_mon + 1,
                  utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, static_cast<int>(now % 1000), entropy() & 0xffffff);
    return text.data();
}

bool isRunId(std::string_view text)
{
    if (text.empty() || text.size() > 64 || !isAlphanumeric(text.front())) return false;
    for (const char c : text)
        if (!isAlphanumeric(c) && c != '_' && c != '-') return false;
    return true;
}

std::optional<std::int64_t> timeOfRunId(std::string_view id)
{
    // YYYYMMDD-hhmmss-mmm-xxxxxx
    if (id.size() != 26 || id[8] != '-' || id[15] != '-' || id[19] != '-') return std::nullopt;
    const auto year = digits(id, 0, 4), month = digits(id, 4, 2), day = digits(id, 6, 2), hour = digits(id, 9, 2),
               minute = digits(id, 11, 2), second = digits(id, 13, 2), milliseconds = digits(id, 16, 3);
    if (!year || !month || !day || !hour || !minute || !second || !milliseconds) return std::nullopt;
    std::tm utc{};
    utc.tm_year = *year - 1900;
    utc.tm_mon = *month - 1;
    utc.tm_mday = *day;
    utc.tm_hour = *hour;
    utc.tm_min = *minute;
    utc.tm_sec = *second;
    return static_cast<std::int64_t>(::timegm(&utc)) * 1000 + *milliseconds;
}

std::string newRunName()
{
    return str(kAdjectives[entropy() % kAdjectives.size()], "-", kNouns[entropy() % kNouns.size()]);
}

} // namespace millrace::protocol
