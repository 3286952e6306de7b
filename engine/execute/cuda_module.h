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

/// The visible GPUs, in CUDA's order. The module is loaded and stays.
/// Errors   NotFound without a driver, without a visible GPU or without the module; Unsupported for a driver that is
///          too old, a module of another build or one whose libraries are missing.
Result<std::vector<kernels::DeviceInfo>> cudaDevices();

/// Opens a GPU of those: `which` is its index or UUID, or empty for the first that can be opened; none that is
/// `excluded` (UUIDs). `cacheFolder`: where measured choices are kept between processes.
/// Errors   those of cudaDevices; NotFound naming those that are there; what opening it says.
Result<std::unique_ptr<kernels::Device>> openCudaDevice(std::string_view which, const std::string& cacheFolder,
                                                        std::span<const std::string> excluded = {});

/// Those of the devices that are meant, in order; several only where `which` is empty.
/// Errors: NotFound naming those that are there, InvalidArgument where a shortened UUID means several.
Result<std::vector<kernels::DeviceInfo>> chooseDevices(std::span<const kernels::DeviceInfo> devices,
                                                       std::string_view which, std::span<const std::string> excluded);

} // namespace millrace::execute
