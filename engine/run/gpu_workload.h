// The standard workloads on a GPU, and what that GPU can do at most.
#pragma once

#include "engine/run/workloads.h"
#include "kernels/ops/device.h"

#include <memory>

namespace millrace::run {

/// As runWorkload, for rows that come from the host at each step and for steps that are captured. More in the JSON:
///   device, precision, batch, parameters; first_step_seconds, from the start of this process to the end of the first
///   step; memory_bytes, what the plan of the program and the optimiser say that they need; device_bytes, what the
///   device's free memory has become less by since the workload began, the libraries' own included.
Result<nlohmann::json> runGpuWorkload(const Workload& workload, const WorkloadOptions& options,
                                      const std::shared_ptr<kernels::Device>& device, std::stop_token stop);

/// {device, gflops_bf16: of a large matrix product, gigabytes_per_second: of a copy, read and written}, measured.
Result<nlohmann::json> measureGpu(kernels::Device& device);

} // namespace millrace::run
