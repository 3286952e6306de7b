#include "kernels/cuda/module.h"

#include "kernels/cuda/context.h"
#include "kernels/cuda/cuda_device.h"

#define MR_EXPORT extern "C" __attribute__((visibility("default")))

namespace cuda = millrace::kernels::cuda;

MR_EXPORT const char* millrace_cuda_identity()
{
    return cuda::kModuleIdentity;
}

MR_EXPORT void millrace_cuda_devices(std::vector<millrace::kernels::DeviceInfo>& devices, millrace::Status& status)
{
    auto found = cuda::Context::visibleDevices();
    if (!found)
        status = std::move(found).error();
    else
        devices = std::move(*found);
}

MR_EXPORT void millrace_cuda_open(int index, const std::string& cacheFolder,
                                  millrace::Result<std::unique_ptr<millrace::kernels::Device>>& device)
{
    device = cuda::openDevice(index, cacheFolder);
}
