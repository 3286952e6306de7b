// The optimisers in double.
#include "kernels/reference/reference.h"

#include <cmath>

namespace millrace::kernels::reference {

void sgd(const Sgd& options, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const double gradient = inputs[1][i] + options.weightDecay * inputs[0][i];
        outputs[1][i] = options.momentum * inputs[2][i] + gradient;
        outputs[0][i] = inputs[0][i] - options.learningRate * outputs[1][i];
    }
}

void adam(const Adam& options, Inputs inputs, Outputs outputs)
{
    const auto t = static_cast<double>(options.step);
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        double weight = inputs[0][i], gradient = inputs[1][i];
        if (options.decoupled) {
            weight -= options.learningRate * options.weightDecay * weight;
        } else {
            gradient += options.weightDecay * weight;
        }
        const double m = options.beta1 * inputs[2][i] + (1 - options.beta1) * gradient;
        const double v = options.beta2 * inputs[3][i] + (1 - options.beta2) * gradient * gradient;
        const double first = m / (1 - std::pow(options.beta1, t)), second = v / (1 - std::pow(options.beta2, t));
        outputs[0][i] = weight - options.learningRate * first / (std::sqrt(second) + options.epsilon);
        outputs[1][i] = m;
        outputs[2][i] = v;
    }
}

} // namespace millrace::kernels::reference
