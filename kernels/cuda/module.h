// What libmillrace-cuda.so exports: the two functions that the engine looks up after it has loaded it. Both sides are
// built from one tree; the identity says whether they were.
#pragma once

#include "kernels/ops/device.h"

#include <memory>
#include <string>
#include <vector>

namespace millrace::kernels::cuda {

/// The product's version and a number made of all headers of kernels/ops and kernels/base: a module and an engine that
/// were built from different ones must not meet.
inline constexpr const char* kModuleIdentity = "millrace " MILLRACE_VERSION " cuda " MILLRACE_MODULE_INTERFACES;

/// `const char* millrace_cuda_identity()`
using IdentityFunction = const char*();
/// `void millrace_cuda_devices(std::vector<DeviceInfo>&, Status&)`: the visible GPUs, in CUDA's order.
using DevicesFunction = void(std::vector<DeviceInfo>& devices, Status& status);
/// `void millrace_cuda_open(int index, const std::string& cacheFolder, Result<std::unique_ptr<Device>>&)`
using OpenFunction = void(int index, const std::string& cacheFolder, Result<std::unique_ptr<Device>>& device);

inline constexpr const char* kIdentityName = "millrace_cuda_identity";
inline constexpr const char* kDevicesName = "millrace_cuda_devices";
inline constexpr const char* kOpenName = "millrace_cuda_open";

} // namespace millrace::kernels::cuda
