// Huber's loss in double.
#include "kernels/reference/reference.h"

#include <algorithm>
#include <cmath>

namespace millrace::kernels::reference {

void huber(const Huber& loss, Inputs inputs, Outputs outputs)
{
    const auto count = static_cast<double>(loss.elements);
    double sum = 0;
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double difference = inputs[0][i] - inputs[1][i], distance = std::abs(difference);
        sum += distance <= loss.delta ? difference * difference / 2 : loss.delta * (distance - loss.delta / 2);
        outputs[1][i] = std::clamp(difference, -loss.delta, loss.delta) / count;
    }
    outputs[0][0] = sum / count;
}

} // namespace millrace::kernels::reference
