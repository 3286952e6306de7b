// What this computer and this process use, read from /proc.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace millrace::telemetry {

class Nvml;

/// Differences between two readings need state: one sampler per series of samples.
class Sampler
{
public:
    /// Of these GPUs too, by UUID; `nvml` may be null and must live as long as this.
    explicit Sampler(const Nvml* nvml = nullptr, std::vector<std::string> devices = {});
    /// Fields of a `telemetry` event: cpu_percent (whole host, 0–100), process_cpu_percent (100 per core),
    /// memory_bytes (resident, this process), host_memory_used_bytes, host_memory_bytes, disk_read_bytes,
    /// disk_write_bytes (this process, since its start), devices (the GPUs, as Nvml::sample has them).
    nlohmann::json sample();

private:
    const Nvml* m_nvml;
    std::vector<std::string> m_devices;
    std::uint64_t m_hostBusy = 0, m_hostTotal = 0;
    std::int64_t m_processCpuUs = 0, m_lastUs = 0;
};

} // namespace millrace::telemetry
