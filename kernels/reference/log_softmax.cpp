// Logarithm of the softmax in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

void logSoftmax(const LogSoftmax& softmax, Inputs inputs, Outputs outputs)
{
    const auto [R, C] = softmax;
    for (std::int64_t r = 0; r < R; ++r) {
        const double* x = inputs[0].data() + r * C;
        double sum = 0;
        const double maximum = *std::max_element(x, x + C);
        for (std::int64_t c = 0; c < C; ++c) sum += std::exp(x[c] - maximum);
        for (std::int64_t c = 0; c < C; ++c) outputs[0].data()[r * C + c] = x[c] - maximum - std::log(sum);
    }
}

void logSoftmaxBackward(const LogSoftmax& softmax, Inputs inputs, Outputs outputs)
{
    const auto [R, C] = softmax;
    for (std::int64_t r = 0; r < R; ++r) {
        const double *y = inputs[0].data() + r * C, *dy = inputs[1].data() + r * C;
        double sum = 0;
        for (std::int64_t c = 0; c < C; ++c) sum += dy[c];
        for (std::int64_t c = 0; c < C; ++c) outputs[0].data()[r * C + c] = dy[c] - std::exp(y[c]) * sum;
    }
}

} // namespace millrace::kernels::reference
