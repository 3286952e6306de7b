#include "tests/cuda/simulated/networks.h"

#include "tests/cuda/simulated/gpu.h"

#include <algorithm>
#include <memory>

namespace millrace::kernels::cuda::simulated {

namespace {

struct Handle
{
    cudaStream_t stream = nullptr;
};

} // namespace

cudnnStatus_t networksCreate(cudnnHandle_t* handle)
{
    *handle = reinterpret_cast<cudnnHandle_t>(std::make_unique<Handle>().release());
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t networksDestroy(cudnnHandle_t handle)
{
    const std::unique_ptr<Handle> owned(reinterpret_cast<Handle*>(handle));
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t networksSetStream(cudnnHandle_t handle, cudaStream_t stream)
{
    reinterpret_cast<Handle*>(handle)->stream = stream;
    return CUDNN_STATUS_SUCCESS;
}

std::size_t networksVersion()
{
    return CUDNN_VERSION;
}

void networksLastError(char* message, std::size_t maxSize)
{
    if (maxSize == 0) return;
    const std::size_t size = gpu().message.copy(message, maxSize - 1);
    message[size] = '\0';
}

} // namespace millrace::kernels::cuda::simulated
