// The optimisers: how the flat buffer of parameters follows the flat buffer of gradients.
#pragma once

#include "kernels/base/result.h"
#include "kernels/ops/optimizer.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::train {

/// An optimiser's choice and its numbers; those that it does not take have no effect.
struct OptimizerSettings
{
    std::string id = "adamw";
    double weightDecay = 0;
    double momentum = 0, beta1 = 0.9, beta2 = 0.999, rho = 0.9, epsilon = 1e-8;
    bool nesterov = false;

    /// The row of that id in pipeline/optimizer_types.h with its own numbers. An unknown id keeps those above.
    static OptimizerSettings of(std::string_view id);
};

/// The loss as a function of the parameters, over the rows of one step.
class Objective
{
public:
    virtual ~Objective() = default;
    /// Computes loss and gradient where the parameters are now. Errors: Diverged naming the layer; those of reading.
    virtual Result<double> evaluate() = 0;
    virtual std::span<float> parameters() = 0;
    virtual std::span<float> gradients() = 0; ///< of the last evaluate(); may be changed
};

class Optimizer
{
public:
    virtual ~Optimizer() = default;
    /// One update: evaluates the objective, once or along a line, and moves its parameters. `step` counts from 1.
    virtual Status step(Objective& objective, double learningRate, std::int64_t step) = 0;
    /// What must be saved to go on later to the same bits, by name.
    virtual std::map<std::string, std::span<std::byte>> state() = 0;
};

/// The tensors of the parameters' flat buffer, and its size in elements.
struct ParameterLayout
{
    std::vector<kernels::Segment> segments;
    std::size_t size = 0;
};

/// Errors: NotFound with the nearest names.
Result<std::unique_ptr<Optimizer>> createOptimizer(const OptimizerSettings& settings, ParameterLayout layout,
                                                   int threads);

// The two that search along a line; see the headers of their files for definitions.
std::unique_ptr<Optimizer> createLbfgs(const OptimizerSettings& settings, ParameterLayout layout, int threads);
std::unique_ptr<Optimizer> createConjugateGradients(const OptimizerSettings& settings, ParameterLayout layout,
                                                    int threads);

} // namespace millrace::train
