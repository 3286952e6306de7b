// Mean squared error in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

void meanSquaredError(const MeanSquaredError& loss, Inputs inputs, Outputs outputs)
{
    const auto N = static_cast<double>(loss.elements);
    outputs[0][0] = 0;
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double difference = inputs[0][i] - inputs[1][i];
        outputs[0][0] += difference * difference / N;
        outputs[1][i] = 2 * difference / N;
    }
}

} // namespace millrace::kernels::reference
