// The language of device code for a CPU: the file that kernels find in place of kernels/cuda/native/device_language.h
// when tests compile them by g++. A block's threads are fibers of one OS thread; block.cpp runs them.
#pragma once

#include "kernels/cuda/runtime.h"
#include "tests/cuda/simulated/block.h"

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
// Blocks run one after another on a thread, so one copy will do. That it is the thread's own tells static_shared.cpp which
// variables these are; with AddressSanitizer they are ordinary ones, which it guards.
#if defined(__SANITIZE_ADDRESS__)
#define __shared__ static
#else
#define __shared__ static thread_local
#endif
#define __launch_bounds__(...)

// of the running thread
inline uint3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;

inline void __syncthreads()
{
    millrace::kernels::cuda::simulated::synchronizeBlock();
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU)
{
    millrace::kernels::cuda::simulated::synchronizeWarp(mask);
}

/// The value of another lane; a lane that is not in the mask or has ended gives bits of ones (as f32 a NaN).
template <class T> T shuffleFrom(unsigned mask, T value, int source)
{
    static_assert(sizeof(T) == 4 || sizeof(T) == 8);
    using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
    const std::uint64_t bits =
        millrace::kernels::cuda::simulated::exchangeLanes(mask, std::bit_cast<Bits>(value), source);
    return std::bit_cast<T>(static_cast<Bits>(bits));
}
template <class T> T __shfl_sync(unsigned mask, T value, int source, int width = 32)
{
    const int lane = millrace::kernels::cuda::simulated::lane();
    return shuffleFrom(mask, value, (lane & ~(width - 1)) + (source & (width - 1)));
}
template <class T> T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32)
{
    const int lane = millrace::kernels::cuda::simulated::lane(), source = lane ^ bits;
    return shuffleFrom(mask, value, source < (lane | (width - 1)) + 1 ? source : lane);
}
template <class T> T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32)
{
    const int lane = millrace::kernels::cuda::simulated::lane(), source = lane + static_cast<int>(delta);
    return shuffleFrom(mask, value, source <= (lane | (width - 1)) ? source : lane);
}
template <class T> T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32)
{
    const int lane = millrace::kernels::cuda::simulated::lane(), source = lane - static_cast<int>(delta);
    return shuffleFrom(mask, value, source >= (lane & ~(width - 1)) ? source : lane);
}
inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    return millrace::kernels::cuda::simulated::voteOfLanes(mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, predicate) != 0;
}
inline int __all_sync(unsigned mask, int predicate)
{
    return __ballot_sync(mask, predicate == 0) == 0;
}

// Only one thread runs at a time. Of integers alone: the order of float sums would change the bits.
template <class T>
concept AtomicInteger = std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;
template <AtomicInteger T> T atomicAdd(T* address, std::type_identity_t<T> value)
{
    const T old = *address;
    *address = static_cast<T>(old + value);
    return old;
}
template <AtomicInteger T> T atomicOr(T* address, std::type_identity_t<T> value)
{
    const T old = *address;
    *address = old | value;
    return old;
}
template <AtomicInteger T> T atomicMax(T* address, std::type_identity_t<T> value)
{
    const T old = *address;
    *address = value > old ? value : old;
    return old;
}

inline float rsqrtf(float x)
{
    return 1.0F / std::sqrt(x);
}

namespace millrace::kernels::cuda {

inline unsigned char* dynamicSharedMemory()
{
    return simulated::dynamicSharedMemory();
}

inline uint4 loadStreaming(const uint4* from)
{
    return *from;
}
inline void storeStreaming(uint4* to, const uint4& value)
{
    *to = value;
}

// The matrix units: see kernels/cuda/native/device_language.h. Lanes show each other what they have in tables, one for
// each warp of the block.

inline int warpOfBlock()
{
    return static_cast<int>(threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z)) / 32;
}
inline void loadMatrices(std::uint32_t (&to)[4], const void* row)
{
    static const unsigned char* rows[32][32];
    const auto& all = rows[warpOfBlock()];
    const int lane = simulated::lane();
    rows[warpOfBlock()][lane] = static_cast<const unsigned char*>(row);
    __syncwarp();
    for (int i = 0; i < 4; ++i) std::memcpy(&to[i], all[i * 8 + lane / 4] + lane % 4 * 4, 4);
    __syncwarp();
}
inline void loadTransposed(std::uint32_t (&to)[4], const void* row)
{
    static const unsigned char* rows[32][32];
    const auto& all = rows[warpOfBlock()];
    const int lane = simulated::lane();
    rows[warpOfBlock()][lane] = static_cast<const unsigned char*>(row);
    __syncwarp();
    for (int i = 0; i < 4; ++i) {
        std::uint16_t pair[2];
        for (int k = 0; k < 2; ++k) std::memcpy(&pair[k], all[i * 8 + lane % 4 * 2 + k] + lane / 4 * 2, 2);
        std::memcpy(&to[i], pair, 4);
    }
    __syncwarp();
}
template <class T>
void multiplyMatrices(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1, T)
{
    static std::uint32_t words[32][32][6]; // of a, then of b
    auto& all = words[warpOfBlock()];
    const int lane = simulated::lane();
    const auto at = [&](int from, int word, int place) {
        T value;
        std::memcpy(&value, reinterpret_cast<const unsigned char*>(&all[from][word]) + place * 2, 2);
        return static_cast<float>(value);
    };
    std::memcpy(all[lane], a, sizeof a);
    all[lane][4] = b0, all[lane][5] = b1;
    __syncwarp();
    for (int i = 0; i < 4; ++i) {
        const int column = lane % 4 * 2 + i % 2;
        for (int k = 0; k < 16; ++k)
            c[i] +=
                at(lane / 4 * 4 + k % 8 / 2, k / 8 * 2 + i / 2, k % 2) * at(column * 4 + k % 8 / 2, 4 + k / 8, k % 2);
    }
    __syncwarp();
}

/// Hands a launch to the simulated cudaLaunchKernel, which expects a simulated::Launch as its one argument.
template <class... Parameters>
cudaError_t launchKernel(const Runtime& runtime, void (*kernel)(Parameters...), dim3 grid, dim3 block,
                         std::size_t sharedBytes, cudaStream_t stream, Parameters... values)
{
    simulated::Launch launch{[=] { kernel(values...); }, {}, {}};
    [[maybe_unused]] const auto note = [&](auto value) {
        if constexpr (std::is_pointer_v<decltype(value)>) {
            if constexpr (std::is_const_v<std::remove_pointer_t<decltype(value)>>)
                launch.reads.push_back(value);
            else
                launch.writes.push_back(value);
        }
    };
    (note(values), ...);
    void* argument = &launch;
    return runtime.cudaLaunchKernel(reinterpret_cast<const void*>(kernel), grid, block, &argument, sharedBytes, stream);
}

} // namespace millrace::kernels::cuda
