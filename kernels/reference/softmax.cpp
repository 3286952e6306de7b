// Softmax in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

void softmax(const Softmax& softmax, Inputs inputs, Outputs outputs)
{
    const auto [R, C] = softmax;
    for (std::int64_t r = 0; r < R; ++r) {
        const double* x = inputs[0].data() + r * C;
        double *y = outputs[0].data() + r * C, sum = 0;
        const double maximum = *std::max_element(x, x + C);
        for (std::int64_t c = 0; c < C; ++c) sum += y[c] = std::exp(x[c] - maximum);
        for (std::int64_t c = 0; c < C; ++c) y[c] /= sum;
    }
}

void softmaxBackward(const Softmax& softmax, Inputs inputs, Outputs outputs)
{
    const auto [R, C] = softmax;
    for (std::int64_t r = 0; r < R; ++r) {
        const double *y = inputs[0].data() + r * C, *dy = inputs[1].data() + r * C;
        double dot = 0;
        for (std::int64_t c = 0; c < C; ++c) dot += dy[c] * y[c];
        for (std::int64_t c = 0; c < C; ++c) outputs[0].data()[r * C + c] = y[c] * (dy[c] - dot);
    }
}

} // namespace millrace::kernels::reference
