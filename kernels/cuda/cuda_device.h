// One NVIDIA GPU behind the engine's interface of a device.
#pragma once

#include "kernels/cuda/context.h"
#include "kernels/ops/device.h"

#include <memory>
#include <string>

namespace millrace::kernels::cuda {

/// The GPU with that index among the visible ones. `cacheFolder`: where measured choices are kept between processes;
/// empty: nowhere. Errors: as Context::create.
Result<std::unique_ptr<Device>> openDevice(int index, const std::string& cacheFolder);

} // namespace millrace::kernels::cuda
