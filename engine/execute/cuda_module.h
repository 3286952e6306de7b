// Finds the GPUs of this machine: checks for NVIDIA's driver, loads libmillrace-cuda.so where there is one, and opens a
// device. Only the runner does; every step that fails says what is missing.
#pragma once

#include "kernels/ops/device.h"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::execute {

/// What --device says: cpu, cuda (any GPU), cuda:INDEX or cuda:UUID (or how the UUID begins).
struct DeviceChoice
{
    bool gpu = false;
    std::string which; ///< index or UUID; empty: the first

    /// Errors: InvalidArgument with what is expected.
    static Result<DeviceChoice> create(std::string_view text);
};

/// The visible GPUs, in CUDA's order. The module is loaded and stays.
/// Errors   NotFound without a driver, without a visible GPU or without the module; Unsupported for a driver that is
///          too old, a module of another build or one whose libraries are missing.
Result<std::vector<kernels::DeviceInfo>> cudaDevices();

/// Opens a GPU of those: none that is `excluded` (UUIDs). `cacheFolder`: where measured choices are kept.
/// Errors   those of cudaDevices; NotFound naming those that are there; what opening it says.
Result<std::unique_ptr<kernels::Device>> openCudaDevice(const DeviceChoice& choice, const std::string& cacheFolder,
                                                        std::span<const std::string> excluded = {});

/// Which of the devices is meant. Errors: NotFound naming those that are there, InvalidArgument where several are
/// meant.
Result<kernels::DeviceInfo> chooseDevice(std::span<const kernels::DeviceInfo> devices, const DeviceChoice& choice,
                                         std::span<const std::string> excluded);

} // namespace millrace::execute
