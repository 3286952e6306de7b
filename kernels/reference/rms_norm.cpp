// Root-mean-square normalisation in double.
#include "kernels/reference/reference.h"

#include <cmath>

namespace millrace::kernels::reference {

void rmsNorm(const RmsNorm& norm, Inputs inputs, Outputs outputs)
{
    const std::int64_t C = norm.columns;
    for (std::int64_t r = 0; r < norm.rows; ++r) {
        const double* x = inputs[0].data() + r * C;
        double square = 0;
        for (std::int64_t c = 0; c < C; ++c) square += x[c] * x[c] / static_cast<double>(C);
        const double rstd = 1 / std::sqrt(square + norm.epsilon);
        for (std::int64_t c = 0; c < C; ++c) outputs[0].data()[r * C + c] = x[c] * rstd * inputs[1].data()[c];
        outputs[1].data()[r] = rstd;
    }
}

void rmsNormBackward(const RmsNorm& norm, Inputs inputs, Outputs outputs)
{
    const std::int64_t C = norm.columns;
    for (std::int64_t r = 0; r < norm.rows; ++r) {
        const double *x = inputs[0].data() + r * C, *scale = inputs[1].data(), *dy = inputs[3].data() + r * C;
        const double rstd = inputs[2].data()[r];
        double product = 0;
        for (std::int64_t c = 0; c < C; ++c) {
            product += dy[c] * scale[c] * x[c] * rstd / static_cast<double>(C);
            outputs[1].data()[c] += dy[c] * x[c] * rstd;
        }
        for (std::int64_t c = 0; c < C; ++c)
            outputs[0].data()[r * C + c] = rstd * (dy[c] * scale[c] - x[c] * rstd * product);
    }
}

} // namespace millrace::kernels::reference
