// What device code is written with: elements of each type as f32, vectors of 16 bytes, sums in a fixed order, launches.
// Only .cu files include this.
#pragma once

#include "kernels/cuda/context.h"

#include <device_language.h>

#include <cstdint>
#include <type_traits>

namespace millrace::kernels::cuda {

using bf16 = __nv_bfloat16;
using f16 = __half;

constexpr int kWarp = 32;

inline __device__ float toFloat(float x)
{
    return x;
}
inline __device__ float toFloat(bf16 x)
{
    return __bfloat162float(x);
}
inline __device__ float toFloat(f16 x)
{
    return __half2float(x);
}

/// To the nearest, ties to even.
template <class T> __device__ T fromFloat(float x)
{
    if constexpr (std::is_same_v<T, bf16>)
        return __float2bfloat16_rn(x);
    else if constexpr (std::is_same_v<T, f16>)
        return __float2half_rn(x);
    else
        return x;
}

/// 16 bytes of consecutive elements, moved by one instruction. Addresses must be 16-byte aligned.
template <class T> struct alignas(16) Packed
{
    static constexpr int kSize = static_cast<int>(16 / sizeof(T));
    T values[kSize];

    __device__ float get(int index) const { return toFloat(values[index]); }
    __device__ void set(int index, float value) { values[index] = fromFloat<T>(value); }

    static __device__ Packed load(const T* from) { return *reinterpret_cast<const Packed*>(from); }
    __device__ void store(T* to) const { *reinterpret_cast<Packed*>(to) = *this; }
    /// What is read or written once: it need not stay in the caches.
    static __device__ Packed loadOnce(const T* from)
    {
        const uint4 bits = loadStreaming(reinterpret_cast<const uint4*>(from));
        return *reinterpret_cast<const Packed*>(&bits);
    }
    __device__ void storeOnce(T* to) const
    {
        storeStreaming(reinterpret_cast<uint4*>(to), *reinterpret_cast<const uint4*>(this));
    }
};

// Sums and maxima over the lanes of a warp, or over a block of whole warps (at most 1024 threads); every thread gets
// the result. The order is fixed, so that the same values give the same bits.

template <class T> __device__ T warpSum(T value)
{
    for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_xor_sync(0xFFFFFFFFU, value, offset);
    return value;
}

template <class T> __device__ T warpMax(T value)
{
    for (int offset = kWarp / 2; offset > 0; offset /= 2) {
        const T other = __shfl_xor_sync(0xFFFFFFFFU, value, offset);
        value = other > value ? other : value;
    }
    return value;
}

/// All threads of the block must call it.
template <class T> __device__ T blockSum(T value)
{
    __shared__ T partial[kWarp];
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    value = warpSum(value);
    __syncthreads(); // an earlier call may still be reading
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    value = lane < static_cast<int>(blockDim.x) / kWarp ? partial[lane] : T{};
    return warpSum(value);
}

/// All threads of the block must call it; `lowest` is what no value is below.
template <class T> __device__ T blockMax(T value, T lowest)
{
    __shared__ T partial[kWarp];
    const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp;
    value = warpMax(value);
    __syncthreads();
    if (lane == 0) partial[warp] = value;
    __syncthreads();
    value = lane < static_cast<int>(blockDim.x) / kWarp ? partial[lane] : lowest;
    return warpMax(value);
}

template <class T> __device__ T* dynamicShared()
{
    return reinterpret_cast<T*>(dynamicSharedMemory());
}

/// Enqueues a kernel on the compute queue. Values are converted to the kernel's parameters.
template <class... Parameters, class... Values>
void launch(Context& context, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t sharedBytes,
            Values... values)
{
    context.check(launchKernel<Parameters...>(context.runtime(), kernel, grid, block, sharedBytes, context.stream(),
                                              static_cast<Parameters>(values)...),
                  "a kernel's launch");
}

/// Blocks of `size` for n elements; at most what one dimension of a grid takes, so kernels stride over the rest.
inline dim3 blocksFor(std::int64_t n, std::int64_t size)
{
    const std::int64_t blocks = (n + size - 1) / size;
    return dim3(static_cast<unsigned>(blocks < 1 ? 1 : blocks < 0x7FFFFFFF ? blocks : 0x7FFFFFFF));
}

/// Calls `make` with a value of the element type, for factories: byType(type, [&](auto element) { … decltype(element) …
/// }).
template <class Make> auto byType(DType type, Make&& make)
{
    switch (type) {
    case DType::BF16:
        return make(bf16{});
    case DType::F16:
        return make(f16{});
    default:
        return make(float{});
    }
}

} // namespace millrace::kernels::cuda
