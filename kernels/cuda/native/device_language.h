// The language of device code as nvcc gives it. Tests compile the same kernels against another file of this name, which
// simulates it on a CPU: what kernels use beyond plain C++ stands in both.
#pragma once

#include "kernels/cuda/runtime.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

#include <array>
#include <cstdint>

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

// The matrix units, for elements of 16 bits. PTX ISA, sections "ldmatrix" and "mma.m16n8k16": of a matrix of 8 x 8,
// lane l has the elements (l / 4, 2 (l % 4)) and the one right of it, in the lower and the upper half of a word.

/// Four matrices from shared memory; lane l gives the row l % 8 of matrix l / 8: 16 bytes, so aligned.
inline __device__ void loadMatrices(std::uint32_t (&to)[4], const void* row)
{
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
}
/// The same, each of the four transposed.
inline __device__ void loadTransposed(std::uint32_t (&to)[4], const void* row)
{
    const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                 : "r"(address)
                 : "memory");
}

/// c (16,8) += a (16,16) b (16,8), sums in f32. a: its matrices (0,0), (1,0), (0,1), (1,1); b: those of its transpose,
/// (0,0) and (0,1); c: its matrices (0,0) and (1,0), an element a word. The tag says the type of a and b.
inline __device__ void multiplyMatrices(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                                        __nv_bfloat16)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
inline __device__ void multiplyMatrices(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1,
                                        __half)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
                 "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
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
