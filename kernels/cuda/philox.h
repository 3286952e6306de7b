// The random numbers of kernels/base/random.h in device code: the same bits from the same seed, stream and counter.
// Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"

namespace millrace::kernels::cuda {

struct PhiloxBlock
{
    std::uint32_t numbers[4];
};

/// Block `counter` of the stream (seed, stream).
inline __device__ PhiloxBlock philoxBlock(std::uint64_t seed, std::uint64_t stream, std::uint64_t counter)
{
    auto c0 = static_cast<std::uint32_t>(counter), c1 = static_cast<std::uint32_t>(counter >> 32);
    auto c2 = static_cast<std::uint32_t>(stream), c3 = static_cast<std::uint32_t>(stream >> 32);
    auto k0 = static_cast<std::uint32_t>(seed), k1 = static_cast<std::uint32_t>(seed >> 32);
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t a = std::uint64_t{0xD2511F53U} * c0, b = std::uint64_t{0xCD9E8D57U} * c2;
        c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ k0;
        c1 = static_cast<std::uint32_t>(b);
        c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ k1;
        c3 = static_cast<std::uint32_t>(a);
        k0 += 0x9E3779B9U;
        k1 += 0xBB67AE85U;
    }
    return {{c0, c1, c2, c3}};
}

} // namespace millrace::kernels::cuda
