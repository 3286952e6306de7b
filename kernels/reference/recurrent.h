// What the recurrent layers' references share.
#pragma once

#include "kernels/reference/reference.h"

#include <cmath>

namespace millrace::kernels::reference {

inline double sigmoid(double x)
{
    return 1 / (1 + std::exp(-x));
}

/// weight x + bias; weight has `columns` columns and as many rows as bias elements.
inline Values affine(const Values& weight, const double* x, std::int64_t columns, const Values& bias)
{
    Values result = bias;
    for (std::size_t o = 0; o < result.size(); ++o)
        for (std::int64_t i = 0; i < columns; ++i)
            result[o] += weight.data()[static_cast<std::int64_t>(o) * columns + i] * x[i];
    return result;
}

/// Adds the gradients of x, weight and bias from that of the result.
inline void differentiateAffine(const Values& weight, const double* x, std::int64_t columns, const Values& gradient,
                                double* dx, Values& dweight, Values& dbias)
{
    for (std::size_t o = 0; o < gradient.size(); ++o) {
        dbias[o] += gradient[o];
        for (std::int64_t i = 0; i < columns; ++i) {
            const std::int64_t at = static_cast<std::int64_t>(o) * columns + i;
            dx[i] += gradient[o] * weight.data()[at];
            dweight.data()[at] += gradient[o] * x[i];
        }
    }
}

} // namespace millrace::kernels::reference
