// Binary cross-entropy on logits in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

void binaryCrossEntropy(const BinaryCrossEntropy& loss, Inputs inputs, Outputs outputs)
{
    const auto count = static_cast<double>(loss.elements);
    double sum = 0, correct = 0;
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double x = inputs[0][i], target = inputs[1][i];
        sum += std::max(x, 0.0) - x * target + std::log1p(std::exp(-std::abs(x)));
        correct += (x > 0) == (target > 0.5) ? 1 : 0;
        outputs[2][i] = (1 / (1 + std::exp(-x)) - target) / count;
    }
    outputs[0][0] = sum / count;
    outputs[1][0] = correct;
}

} // namespace millrace::kernels::reference
