// Transposed convolution in double, by the convolution whose transpose it is.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

void convTranspose2d(const ConvTranspose2d& c, Inputs inputs, Outputs outputs)
{
    const Conv2d conv = c.convolution();
    // conv2dBackward takes image, weight, dresult and gives dimage; the image plays no part in that
    const std::vector<Values> given{outputs[0], inputs[1], inputs[0]};
    std::vector<Values> gradients{outputs[0], inputs[1], Values(static_cast<std::size_t>(c.channels))};
    conv2dBackward(conv, given, gradients);
    outputs[0] = gradients[0];
    const auto O = static_cast<std::size_t>(c.outputChannels);
    for (std::size_t i = 0; !inputs[2].empty() && i < outputs[0].size(); ++i) outputs[0][i] += inputs[2][i % O];
}

void convTranspose2dBackward(const ConvTranspose2d& c, Inputs inputs, Outputs outputs)
{
    const Conv2d conv = c.convolution();
    const Values &x = inputs[0], &weight = inputs[1], &dy = inputs[2];
    const std::vector<Values> forward{dy, weight, {}};
    conv2d(conv, forward, outputs.first(1));
    const std::vector<Values> given{dy, weight, x};
    std::vector<Values> gradients{dy, weight, Values(static_cast<std::size_t>(c.channels))};
    conv2dBackward(conv, given, gradients);
    outputs[1] = gradients[1];
    outputs[2].assign(outputs[2].size(), 0);
    for (std::size_t i = 0; i < dy.size(); ++i) outputs[2][i % outputs[2].size()] += dy[i];
}

} // namespace millrace::kernels::reference
