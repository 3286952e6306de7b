// Learned positions in double.
#include "kernels/reference/reference.h"

#include <algorithm>

namespace millrace::kernels::reference {

namespace {

std::int64_t offsetOf(const Position& position, const Values& offset)
{
    if (offset.empty()) return 0;
    return std::clamp<std::int64_t>(static_cast<std::int64_t>(offset[0]), 0, position.places - position.steps);
}

} // namespace

void position(const Position& position, Inputs inputs, Outputs outputs)
{
    const std::int64_t C = position.width, T = position.steps, first = offsetOf(position, inputs[2]);
    const double *x = inputs[0].data(), *table = inputs[1].data();
    for (std::int64_t row = 0; row < position.batch * T; ++row)
        for (std::int64_t c = 0; c < C; ++c)
            outputs[0].data()[row * C + c] = x[row * C + c] + table[(first + row % T) * C + c];
}

void positionBackward(const Position& position, Inputs inputs, Outputs outputs)
{
    const std::int64_t C = position.width, T = position.steps, first = offsetOf(position, inputs[1]);
    outputs[0].assign(outputs[0].size(), 0);
    for (std::int64_t row = 0; row < position.batch * T; ++row)
        for (std::int64_t c = 0; c < C; ++c)
            outputs[0].data()[(first + row % T) * C + c] += inputs[0].data()[row * C + c];
}

} // namespace millrace::kernels::reference
