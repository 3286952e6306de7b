// Mean absolute error in double.
#include "kernels/reference/reference.h"

#include <cmath>

namespace millrace::kernels::reference {

void meanAbsoluteError(const MeanAbsoluteError& loss, Inputs inputs, Outputs outputs)
{
    const auto count = static_cast<double>(loss.elements);
    double sum = 0;
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double difference = inputs[0][i] - inputs[1][i];
        sum += std::abs(difference);
        outputs[1][i] = (difference > 0 ? 1 : difference < 0 ? -1 : 0) / count;
    }
    outputs[0][0] = sum / count;
}

} // namespace millrace::kernels::reference
