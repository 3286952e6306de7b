// Softmax cross-entropy in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

void crossEntropy(const CrossEntropy& loss, Inputs inputs, Outputs outputs)
{
    const auto [B, C] = loss;
    double total = 0, correct = 0;
    for (std::int64_t b = 0; b < B; ++b) {
        const double* x = inputs[0].data() + b * C;
        const auto label = static_cast<std::int64_t>(inputs[1].data()[b]);
        const double* maximum = std::max_element(x, x + C);
        double sum = 0;
        for (std::int64_t c = 0; c < C; ++c) sum += std::exp(x[c] - *maximum);
        total += *maximum + std::log(sum) - x[label];
        correct += maximum - x == label ? 1 : 0;
        for (std::int64_t c = 0; c < C; ++c)
            outputs[2].data()[b * C + c] =
                (std::exp(x[c] - *maximum) / sum - (c == label ? 1 : 0)) / static_cast<double>(B);
    }
    outputs[0][0] = total / static_cast<double>(B);
    outputs[1][0] = correct;
}

} // namespace millrace::kernels::reference
