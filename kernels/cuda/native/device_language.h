// The language of device code as nvcc gives it. Tests compile the same kernels against another file of this name, which
// simulates it on a CPU: what kernels use beyond plain C++ stands in both.
#pragma once

#include "kernels/cuda/runtime.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <array>

namespace millrace::kernels::cuda {

/// The block's dynamic shared memory, 16-byte aligned.
inline __device__ unsigned char* dynamicSharedMemory()
{
    extern __shared__ __align__(16) unsigned char memory[];
    return memory;
}

/// Reads that no other thread repeats, and writes that nobody reads soon: they need not stay in the caches. 16 bytes.
inline __device__ uint4 loadStreaming(const uint4* from)
{
    return __ldcs(from);
}
inline __device__ void storeStreaming(uint4* to, const uint4& value)
{
    __stcs(to, value);
}

template <class... Parameters>
cudaError_t launchKernel(const Runtime& runtime, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                         std::size_t sharedBytes, cudaStream_t stream, Parameters... values)
{
    std::array<void*, sizeof...(Parameters)> arguments{static_cast<void*>(&values)...};
    return runtime.cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, arguments.data(), sharedBytes,
                                    stream);
}

} // namespace millrace::kernels::cuda
