// What this computer and this process use, read from /proc.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

namespace millrace::telemetry {

/// Differences between two readings need state: one sampler per series of samples.
class Sampler
{
public:
    Sampler();
    /// Fields of a `telemetry` event: cpu_percent (whole host, 0–100), process_cpu_percent (100 per core),
    /// memory_bytes (resident, this process), host_memory_used_bytes, host_memory_bytes, disk_read_bytes,
    /// disk_write_bytes (this process, since its start), devices (none on a CPU).
    nlohmann::json sample();

private:
    std::uint64_t m_hostBusy = 0, m_hostTotal = 0;
    std::int64_t m_processCpuUs = 0, m_lastUs = 0;
};

} // namespace millrace::telemetry
