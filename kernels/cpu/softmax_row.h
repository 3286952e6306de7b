// One row of a softmax: what the softmax and the cross-entropy have in common.
#pragma once

#include "kernels/cpu/vector_math.h"

#include <limits>

namespace millrace::kernels::cpu {

MR_INLINE float rowMaximum(const float* x, std::int64_t columns)
{
    float maximum = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : maximum)
    for (std::int64_t c = 0; c < columns; ++c) maximum = x[c] > maximum ? x[c] : maximum;
    return maximum;
}

/// y[c] = exp(x[c] - maximum); returns their sum. y may be x.
MR_INLINE float exponentials(const float* x, float* y, float maximum, std::int64_t columns)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < columns; ++c) {
        y[c] = exponential(x[c] - maximum);
        sum += y[c];
    }
    return sum;
}

/// The sum alone.
MR_INLINE float sumOfExponentials(const float* x, float maximum, std::int64_t columns)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t c = 0; c < columns; ++c) sum += exponential(x[c] - maximum);
    return sum;
}

} // namespace millrace::kernels::cpu
