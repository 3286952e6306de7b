#include "engine/telemetry/sampler.h"

#include "engine/telemetry/nvml.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

namespace millrace::telemetry {

namespace {

// /proc files have no size to ask for: read until the end
std::string readProc(const char* path)
{
    const auto file = FileHandle::open(path, O_RDONLY);
    if (!file) return {};
    std::string content(1 << 16, '\0');
    const auto count = file->readAt(content.data(), content.size(), 0);
    content.resize(count ? *count : 0);
    return content;
}

// The first number after "key" at the start of a line.
std::optional<std::uint64_t> field(std::string_view text, std::string_view key)
{
    for (const std::string_view line : split(text, '\n')) {
        if (!line.starts_with(key)) continue;
        std::string_view rest = trimmed(line.substr(key.size()));
        const auto value = parseInteger(rest.substr(0, rest.find(' ')));
        if (value && *value >= 0) return static_cast<std::uint64_t>(*value);
    }
    return std::nullopt;
}

void hostTimes(std::uint64_t& busy, std::uint64_t& total)
{
    const std::string text = readProc("/proc/stat");
    const std::string_view line = std::string_view(text).substr(0, text.find('\n'));
    busy = total = 0;
    std::size_t index = 0;
    for (const std::string_view piece : split(line, ' ')) {
        const auto value = parseInteger(piece);
        if (!value) continue;
        const auto ticks = static_cast<std::uint64_t>(*value);
        if (index >= 8) break; // guest times are contained in user times
        total += ticks;
        if (index != 3 && index != 4) busy += ticks; // all but idle and iowait
        ++index;
    }
}

std::int64_t processCpuMicroseconds()
{
    struct rusage usage
    {
    };
    getrusage(RUSAGE_SELF, &usage);
    const auto us = [](const timeval& t) { return static_cast<std::int64_t>(t.tv_sec) * 1'000'000 + t.tv_usec; };
    return us(usage.ru_utime) + us(usage.ru_stime);
}

} // namespace

Sampler::Sampler(const Nvml* nvml, std::vector<std::string> devices)
    : m_nvml(nvml), m_devices(std::move(devices)), m_processCpuUs(processCpuMicroseconds()),
      m_lastUs(monotonicMicroseconds())
{
    hostTimes(m_hostBusy, m_hostTotal);
}

nlohmann::json Sampler::sample()
{
    std::uint64_t busy = 0, total = 0;
    hostTimes(busy, total);
    const std::int64_t cpuUs = processCpuMicroseconds(), nowUs = monotonicMicroseconds();
    const auto rounded = [](double value) {
        return static_cast<double>(static_cast<std::int64_t>(value * 10 + 0.5)) / 10;
    };
    nlohmann::json fields{{"devices", nlohmann::json::array()}};
    if (total > m_hostTotal)
        fields["cpu_percent"] =
            rounded(100.0 * static_cast<double>(busy - m_hostBusy) / static_cast<double>(total - m_hostTotal));
    if (nowUs > m_lastUs)
        fields["process_cpu_percent"] =
            rounded(100.0 * static_cast<double>(cpuUs - m_processCpuUs) / static_cast<double>(nowUs - m_lastUs));
    m_hostBusy = busy;
    m_hostTotal = total;
    m_processCpuUs = cpuUs;
    m_lastUs = nowUs;

    const std::string memory = readProc("/proc/meminfo");
    const auto available = field(memory, "MemAvailable:"), all = field(memory, "MemTotal:");
    if (all && available) {
        fields["host_memory_bytes"] = *all * 1024;
        fields["host_memory_used_bytes"] = (*all - std::min(*available, *all)) * 1024;
    }
    if (const auto resident = field(readProc("/proc/self/status"), "VmRSS:")) fields["memory_bytes"] = *resident * 1024;
    const std::string io = readProc("/proc/self/io");
    if (const auto read = field(io, "read_bytes:")) fields["disk_read_bytes"] = *read;
    if (const auto written = field(io, "write_bytes:")) fields["disk_write_bytes"] = *written;
    if (m_nvml)
        for (const std::string& uuid : m_devices) fields["devices"].push_back(m_nvml->sample(uuid));
    return fields;
}

} // namespace millrace::telemetry
