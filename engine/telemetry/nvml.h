// What NVIDIA GPUs say of themselves, by NVML: the driver's library libnvidia-ml.so.1, loaded at run time, so that
// nothing here needs it to be there.
#pragma once

#include "kernels/base/result.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace millrace::telemetry {

/// An error that the GPU's driver reported, by its number in NVIDIA's table of Xid errors (79: fallen off the bus).
struct Xid
{
    std::string uuid;
    std::uint64_t number = 0;
    bool operator==(const Xid&) const = default;
};

/// Belongs to one thread at a time.
class Nvml
{
public:
    /// Loads and starts NVML.
    /// Errors   NotFound without the library; Unsupported where it lacks a function or does not start (no driver
    ///          loaded, driver and library of different versions): with NVML's own words.
    static Result<std::unique_ptr<Nvml>> open(const std::string& library = "libnvidia-ml.so.1");
    ~Nvml();

    /// "580.65.06"; empty where it is not said.
    std::string driverVersion() const;
    /// The UUIDs of all GPUs, such as "GPU-5e6…", in NVML's order. A GPU that cannot be asked is left out.
    std::vector<std::string> devices() const;

    /// An entry of a telemetry event's `devices`: uuid, name, utilization_percent, memory_used_bytes, memory_bytes,
    /// power_watts, power_limit_watts, temperature_celsius, sm_clock_mhz, memory_clock_mhz, throttle (names of what
    /// holds its clocks down; empty: nothing does), processes [{pid, memory_bytes}]. A field that this GPU does not
    /// support is left out. A GPU that fell off the bus is {uuid, lost: true}.
    nlohmann::json sample(const std::string& uuid) const;

    /// Begins to listen to the GPU's Xid errors; quietly nothing where it does not tell them.
    void watchXids(const std::string& uuid);
    /// What came since the last call, waiting up to `waitMs` for the first.
    std::vector<Xid> takeXids(unsigned waitMs = 0);

private:
    struct Library;
    explicit Nvml(std::unique_ptr<Library> library);

    std::unique_ptr<Library> m_library;
};

} // namespace millrace::telemetry
