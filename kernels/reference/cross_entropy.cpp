// Softmax cross-entropy in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

void crossEntropy(const CrossEntropy& loss, Inputs inputs, Outputs outputs)
{
    const std::int64_t B = loss.rows, C = loss.classes;
    const double smoothing = loss.labelSmoothing, share = smoothing / static_cast<double>(C);
    const bool weighed = inputs.size() > 2 && !inputs[2].empty();
    const auto weight = [&](std::int64_t c) { return weighed ? inputs[2].data()[c] : 1.0; };
    const auto label = [&](std::int64_t b) { return static_cast<std::int64_t>(inputs[1].data()[b]); };
    double W = 0, all = 0, total = 0, correct = 0;
    for (std::int64_t b = 0; b < B; ++b) W += label(b) == loss.ignoreIndex ? 0 : weight(label(b));
    for (std::int64_t c = 0; c < C; ++c) all += weight(c);
    for (std::int64_t b = 0; b < B; ++b) {
        if (label(b) == loss.ignoreIndex) continue; // outputs come as zeros
        const double* x = inputs[0].data() + b * C;
        const double* maximum = std::max_element(x, x + C);
        double sum = 0;
        for (std::int64_t c = 0; c < C; ++c) sum += std::exp(x[c] - *maximum);
        const double target = (1 - smoothing) * weight(label(b)), logSum = *maximum + std::log(sum);
        total += target * (logSum - x[label(b)]);
        correct += maximum - x == label(b) ? 1 : 0;
        for (std::int64_t c = 0; c < C; ++c) {
            total += share * weight(c) * (logSum - x[c]);
            outputs[2].data()[b * C + c] =
                (std::exp(x[c] - logSum) * (target + share * all) - (c == label(b) ? target : 0) - share * weight(c)) /
                W;
        }
    }
    outputs[0][0] = total / W;
    outputs[1][0] = correct;
}

} // namespace millrace::kernels::reference
