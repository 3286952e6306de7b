// The CUDA module on the simulated GPUs (tests/cuda/simulated), for runners that know no better. $SIMULATED_GPU says
// what they are like: words separated by commas.
//   devices=2      how many there are (2)            memory=64      MiB of each (1024)
//   lose=500       the 500th kernel on the first one ends with an illegal address, and with it all after it
//   lose-all       so it is on every one of them     refuse=20      the 20th cudaMalloc finds no memory
#include "kernels/cuda/cuda_device.h"
#include "kernels/cuda/module.h"
#include "tests/cuda/simulated/faults.h"

#include <cstdlib>
#include <cstring>

namespace cuda = millrace::kernels::cuda;
namespace simulated = cuda::simulated;

#define MR_EXPORT extern "C" __attribute__((visibility("default")))

namespace {

int told(const char* word, int otherwise)
{
    const char* words = std::getenv("SIMULATED_GPU");
    const char* at = words ? std::strstr(words, word) : nullptr;
    return at ? std::atoi(at + std::strlen(word)) : otherwise;
}

void restart()
{
    simulated::Properties properties;
    properties.devices = told("devices=", 2);
    properties.uuid = std::string(16, '\x11'); // that of tests/telemetry/fake_nvml.cpp
    properties.memoryBytes = static_cast<std::uint64_t>(told("memory=", 1024)) << 20;
    simulated::restart(properties);
}

} // namespace

MR_EXPORT const char* millrace_cuda_identity()
{
    return std::getenv("SIMULATED_IDENTITY") ? std::getenv("SIMULATED_IDENTITY") : cuda::kModuleIdentity;
}

MR_EXPORT void millrace_cuda_devices(std::vector<millrace::kernels::DeviceInfo>& devices, millrace::Status& status)
{
    restart();
    if (auto found = cuda::Context::visibleDevices())
        devices = std::move(*found);
    else
        status = std::move(found).error();
}

MR_EXPORT void millrace_cuda_open(int index, const std::string& cacheFolder,
                                  millrace::Result<std::unique_ptr<millrace::kernels::Device>>& device)
{
    restart();
    device = cuda::openDevice(index, cacheFolder);
    if (const int kernel = told("lose=", 0); kernel > 0 && (index == 0 || told("lose-all", -1) >= 0))
        simulated::failKernel(kernel, cudaErrorIllegalAddress);
    if (const int call = told("refuse=", 0); call > 0)
        simulated::failCall("cudaMalloc", call, cudaErrorMemoryAllocation);
}
