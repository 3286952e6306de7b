// Batch normalisation in double.
#include "kernels/reference/reference.h"

#include <cmath>

namespace millrace::kernels::reference {

void batchNorm(const BatchNorm& norm, Inputs inputs, Outputs outputs)
{
    const std::int64_t R = norm.rows, C = norm.channels;
    const auto rows = static_cast<double>(R);
    for (std::int64_t c = 0; c < C; ++c) {
        const auto at = [&](const Values& values) { return values[static_cast<std::size_t>(c)]; };
        const double* x = inputs[0].data() + c;
        double mean = at(inputs[3]), variance = at(inputs[4]);
        if (norm.training) {
            mean = variance = 0;
            for (std::int64_t r = 0; r < R; ++r) mean += x[r * C] / rows;
            for (std::int64_t r = 0; r < R; ++r) variance += (x[r * C] - mean) * (x[r * C] - mean) / rows;
            const double unbiased = R > 1 ? variance * rows / (rows - 1) : variance;
            outputs[3].data()[c] = (1 - norm.momentum) * at(inputs[3]) + norm.momentum * mean;
            outputs[4].data()[c] = (1 - norm.momentum) * at(inputs[4]) + norm.momentum * unbiased;
        }
        const double rstd = 1 / std::sqrt(variance + norm.epsilon);
        if (norm.training) {
            outputs[1].data()[c] = mean;
            outputs[2].data()[c] = rstd;
        }
        for (std::int64_t r = 0; r < R; ++r) {
            double& y = outputs[0].data()[r * C + c];
            y = (x[r * C] - mean) * rstd * at(inputs[1]) + at(inputs[2]);
            if (norm.addend) y += inputs[5].data()[r * C + c];
            if (norm.relu && y < 0) y = 0;
        }
    }
}

void batchNormBackward(const BatchNorm& norm, Inputs inputs, Outputs outputs)
{
    const std::int64_t R = norm.rows, C = norm.channels;
    const auto rows = static_cast<double>(R);
    for (std::int64_t c = 0; c < C; ++c) {
        const double* x = inputs[0].data() + c;
        Values masked(static_cast<std::size_t>((R - 1) * C + 1));
        double* dy = masked.data();
        for (std::int64_t r = 0; r < R; ++r) {
            const bool counts = !norm.relu || inputs[5].data()[r * C + c] > 0;
            dy[r * C] = counts ? inputs[4].data()[r * C + c] : 0;
            if (norm.addend) outputs[3].data()[r * C + c] = dy[r * C];
        }
        const double weight = inputs[1].data()[c], mean = inputs[2].data()[c], rstd = inputs[3].data()[c];
        double sum = 0, product = 0;
        for (std::int64_t r = 0; r < R; ++r) {
            sum += dy[r * C];
            product += dy[r * C] * (x[r * C] - mean) * rstd;
        }
        for (std::int64_t r = 0; r < R; ++r) {
            const double normalised = (x[r * C] - mean) * rstd;
            outputs[0].data()[r * C + c] = weight * rstd * (dy[r * C] - sum / rows - normalised * product / rows);
        }
        outputs[1].data()[c] = product;
        outputs[2].data()[c] = sum;
    }
}

} // namespace millrace::kernels::reference
