// What the backward kernels of attention share: their operands, and delta[i] = dy[i] y[i], which comes first.
#pragma once

#include "kernels/cuda/attention_matrices.h"

namespace millrace::kernels::cuda::attention {

constexpr int kDeltaWarps = 4; ///< of a block

template <class T> struct BackwardOperands
{
    const T *qkv, *dy;
    const float *logsumexp, *delta; ///< (B,heads,T)
    T* dqkv;
};

/// delta[b,h,t] = sum_d y[b,t,h,d] dy[b,t,h,d], a warp each.
template <class T> __global__ void multiplyOutputs(const T* y, const T* dy, float* delta, Attention a)
{
    const std::int64_t D = a.width / a.heads, all = a.batch * a.steps * a.heads;
    for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kDeltaWarps + threadIdx.y; i < all;
         i += static_cast<std::int64_t>(gridDim.x) * kDeltaWarps) {
        float sum = 0;
        for (std::int64_t d = threadIdx.x; d < D; d += kWarp) sum += toFloat(y[i * D + d]) * toFloat(dy[i * D + d]);
        sum = warpSum(sum);
        const std::int64_t h = i % a.heads, t = i / a.heads % a.steps, b = i / a.heads / a.steps;
        if (threadIdx.x == 0) delta[(b * a.heads + h) * a.steps + t] = sum;
    }
}

/// The rows of one head of one sequence, and their numbers.
template <class T> struct Head
{
    Rows<const T> q, k, v, dy;
    Rows<T> dq, dk, dv;
    const float *logsumexp, *delta;

    __device__ Head(const BackwardOperands<T>& o, const Attention& a, std::int64_t index)
    {
        const std::int64_t D = a.width / a.heads, b = index / a.heads, h = index % a.heads, C = a.width;
        const std::int64_t origin = b * a.steps * 3 * C + h * D;
        q = {o.qkv + origin, 3 * C, a.steps, D};
        k = {o.qkv + origin + C, 3 * C, a.steps, D};
        v = {o.qkv + origin + 2 * C, 3 * C, a.steps, D};
        dy = {o.dy + b * a.steps * C + h * D, C, a.steps, D};
        dq = {o.dqkv + origin, 3 * C, a.steps, D};
        dk = {o.dqkv + origin + C, 3 * C, a.steps, D};
        dv = {o.dqkv + origin + 2 * C, 3 * C, a.steps, D};
        logsumexp = o.logsumexp + index * a.steps;
        delta = o.delta + index * a.steps;
    }
};

/// For delta.
inline std::uint64_t backwardScratchBytes(const Attention& a)
{
    return static_cast<std::uint64_t>(a.batch * a.heads * a.steps) * sizeof(float);
}

/// Enqueues what computes delta.
template <class T> BackwardOperands<T> prepareBackward(Context& context, const Attention& a, const Arguments& arguments)
{
    auto* delta = reinterpret_cast<float*>(arguments.scratch);
    const T *y = static_cast<const T*>(arguments.inputs[1]), *dy = static_cast<const T*>(arguments.inputs[3]);
    launch(context, multiplyOutputs<T>, blocksFor(a.batch * a.steps * a.heads, kDeltaWarps), dim3(kWarp, kDeltaWarps),
           0, y, dy, delta, a);
    return {.qkv = static_cast<const T*>(arguments.inputs[0]),
            .dy = dy,
            .logsumexp = arguments.input(2),
            .delta = delta,
            .dqkv = static_cast<T*>(arguments.outputs[0])};
}

} // namespace millrace::kernels::cuda::attention
