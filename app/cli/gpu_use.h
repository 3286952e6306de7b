// What a run's telemetry says of its GPUs, summed up.
#pragma once

#include "storage/records.h"

#include <nlohmann/json.hpp>
#include <vector>

namespace millrace::cli {

/// For each GPU in the order in which they were used: {uuid, name?, samples, utilization_percent? (mean),
/// memory_used_bytes? (most), power_watts? (mean), temperature_celsius? (most), throttle: {reason: share of the
/// samples}, lost?}. Empty for a run on the CPU.
nlohmann::json gpuUse(const std::vector<storage::TelemetrySample>& samples);
/// One line for each GPU: "NVIDIA H100 · 97 % busy · 31 GB · 512 W · 71 °C · throttled 40 % of the time (power cap)".
std::string gpuLines(const nlohmann::json& use);

} // namespace millrace::cli
