// Layer normalisation in double.
#include "kernels/reference/reference.h"

#include <cmath>

namespace millrace::kernels::reference {

void layerNorm(const LayerNorm& norm, Inputs inputs, Outputs outputs)
{
    const std::int64_t C = norm.columns;
    for (std::int64_t r = 0; r < norm.rows; ++r) {
        const double* x = inputs[0].data() + r * C;
        double mean = 0, variance = 0;
        for (std::int64_t c = 0; c < C; ++c) mean += x[c] / static_cast<double>(C);
        for (std::int64_t c = 0; c < C; ++c) variance += (x[c] - mean) * (x[c] - mean) / static_cast<double>(C);
        const double rstd = 1 / std::sqrt(variance + norm.epsilon);
        for (std::int64_t c = 0; c < C; ++c)
            outputs[0].data()[r * C + c] =
                (x[c] - mean) * rstd * inputs[1].data()[c] + (inputs[2].empty() ? 0 : inputs[2].data()[c]);
        outputs[1].data()[r] = mean;
        outputs[2].data()[r] = rstd;
    }
}

void layerNormBackward(const LayerNorm& norm, Inputs inputs, Outputs outputs)
{
    const std::int64_t C = norm.columns;
    for (std::int64_t r = 0; r < norm.rows; ++r) {
        const double *x = inputs[0].data() + r * C, *scale = inputs[1].data(), *dy = inputs[4].data() + r * C;
        const double mean = inputs[2].data()[r], rstd = inputs[3].data()[r];
        double sum = 0, product = 0;
        for (std::int64_t c = 0; c < C; ++c) {
            const double normalised = (x[c] - mean) * rstd;
            sum += dy[c] * scale[c] / static_cast<double>(C);
            product += dy[c] * scale[c] * normalised / static_cast<double>(C);
            outputs[1].data()[c] += dy[c] * normalised;
            outputs[2].data()[c] += dy[c];
        }
        for (std::int64_t c = 0; c < C; ++c)
            outputs[0].data()[r * C + c] = rstd * (dy[c] * scale[c] - sum - (x[c] - mean) * rstd * product) +
                                           (norm.residual ? inputs[5].data()[r * C + c] : 0);
    }
}

} // namespace millrace::kernels::reference
