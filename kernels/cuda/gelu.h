// GELU by tanh (kernels/ops/activation.h) and its slope. Only .cu files include this.
#pragma once

#include "kernels/cuda/device_code.h"

namespace millrace::kernels::cuda {

constexpr float kGeluScale = 0.797884561F; // sqrt(2 / pi)
constexpr float kGeluCube = 0.044715F;

inline __device__ float geluTanh(float x)
{
    return 0.5F * x * (1.0F + tanhf(kGeluScale * (x + kGeluCube * x * x * x)));
}

inline __device__ float geluTanhSlope(float x)
{
    const float square = x * x;
    const float t = tanhf(kGeluScale * (x + kGeluCube * square * x));
    return 0.5F * (1.0F + t) + 0.5F * x * (1.0F - t * t) * kGeluScale * (1.0F + 3.0F * kGeluCube * square);
}

} // namespace millrace::kernels::cuda
