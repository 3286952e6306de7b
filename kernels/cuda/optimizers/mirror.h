// Writes weights in the storage type while they are in registers anyway. Only .cu files include this.
#pragma once

#include "kernels/base/random.h"
#include "kernels/cuda/flat.h"
#include "kernels/cuda/philox.h"

#include <cmath>
#include <cstring>

namespace millrace::kernels::cuda {

/// Where the weights' storage copy goes, as UpdateOperands has it.
struct Mirror
{
    void* data = nullptr; ///< null: there is none
    DType type = DType::BF16;
    bool stochastic = false;
    std::uint64_t stream = 0; ///< streamOf("rounding")

    static Mirror of(const UpdateOperands& operands)
    {
        return {operands.mirror, operands.mirrorType, operands.stochasticRounding, streamOf("rounding")};
    }
};

/// x as an f32 value that T has: one of x's two neighbours, by 32 random bits. Adding random bits to those that are
/// dropped and cutting them off rounds up as often as their share of the step is; below f16's smallest normal number
/// the step is 2^-24 whatever the exponent.
template <class T> __device__ float roundedAtRandom(float x, std::uint32_t random)
{
    constexpr int kDropped = std::is_same_v<T, bf16> ? 16 : 13;
    constexpr std::uint32_t kMask = (1U << kDropped) - 1, kExponent = 0x7F800000U;
    std::uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if ((bits & kExponent) == kExponent) return x;
    if constexpr (std::is_same_v<T, f16>) {
        if (fabsf(x) < 0x1p-14F) {
            const float steps = floorf(fabsf(x) * 0x1p24F + static_cast<float>(random >> 8) * 0x1p-24F);
            return copysignf(steps * 0x1p-24F, x);
        }
    }
    bits = (bits + (random >> (32 - kDropped))) & ~kMask;
    memcpy(&x, &bits, sizeof bits);
    return x;
}

template <class T>
__device__ void storeMirrorAs(const Mirror& mirror, const Counter& counter, const Group& group,
                              float (&weights)[Group::kSize])
{
    if (mirror.stochastic) {
        const PhiloxBlock random =
            philoxBlock(counter.seed, mirror.stream + counter.step, group.first() / Group::kSize);
        for (int i = 0; i < Group::kSize; ++i) weights[i] = roundedAtRandom<T>(weights[i], random.numbers[i]);
    }
    group.store(static_cast<T*>(mirror.data), weights);
}

/// The weights are rounded in place.
inline __device__ void storeMirror(const Mirror& mirror, const Counter& counter, const Group& group,
                                   float (&weights)[Group::kSize])
{
    if (mirror.data == nullptr) return;
    if (mirror.type == DType::BF16)
        storeMirrorAs<bf16>(mirror, counter, group, weights);
    else
        storeMirrorAs<f16>(mirror, counter, group, weights);
}

} // namespace millrace::kernels::cuda
