// The optimisers that training nodes offer: one row each, which the parameters, the checks, the reference page, the
// memory prediction and the trainer's factory share.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::pipeline {

/// Symbols of the formulas: w weights, g their gradient, η learning_rate, λ weight_decay, μ momentum, β₁ β₂ ρ ε as the
/// parameters are called, t the step from 1, m and v what is kept between steps (0 at first).
struct OptimizerType
{
    std::string_view id, title, help, formula, source;
    /// The parameters of a training node that it takes, with its own defaults; those not named have no effect on it.
    std::vector<std::pair<std::string_view, double>> parameters;
    int states = 0;         ///< numbers kept for each weight between steps
    bool fullBatch = false; ///< each step looks at all training rows, with a line search
};

/// In the order in which they are offered; the first is the default.
const std::vector<OptimizerType>& optimizerTypes();
/// Null where there is none of that id.
const OptimizerType* findOptimizer(std::string_view id);

} // namespace millrace::pipeline
