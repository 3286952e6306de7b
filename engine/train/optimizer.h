// The optimisers: how the flat buffer of parameters follows the flat buffer of gradients.
#pragma once

#include "engine/train/optimizers/vectors.h"
#include "kernels/base/result.h"
#include "kernels/ops/device.h"
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

/// The loss as a function of the parameters, over the rows of one step. The spans lie where the optimiser's vectors do:
/// in the host's memory, or in a GPU's.
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
    /// What must be saved to go on later to the same bits, by name: vectors, which lie where the objective's do, and
    /// numbers in the host's memory.
    virtual std::map<std::string, std::span<float>> vectors() = 0;
    virtual std::map<std::string, std::span<std::byte>> numbers() { return {}; }
};

/// The tensors of the parameters' flat buffer, and its size in elements.
struct ParameterLayout
{
    std::vector<kernels::Segment> segments;
    std::size_t size = 0;
};

/// The rule by which every device updates. Errors: NotFound with the nearest names; Unsupported for an optimiser that
/// searches along a line, which has none.
Result<kernels::UpdateRule> updateRule(const OptimizerSettings& settings);
/// The names of the vectors that a rule keeps, in the order in which updates take them.
std::span<const std::string_view> stateNames(const kernels::UpdateRule& rule);

/// Any optimiser, on the CPU. Errors: NotFound with the nearest names.
Result<std::unique_ptr<Optimizer>> createOptimizer(const OptimizerSettings& settings, ParameterLayout layout,
                                                   int threads);
/// One that searches along a line, where the vectors lie. Errors: NotFound; those of allocating.
Result<std::unique_ptr<Optimizer>> createLineSearch(const OptimizerSettings& settings, ParameterLayout layout,
                                                    std::unique_ptr<Vectors> vectors);

// The two of them; see the headers of their files for definitions.
Result<std::unique_ptr<Optimizer>> createLbfgs(const OptimizerSettings& settings, ParameterLayout layout,
                                               std::unique_ptr<Vectors> vectors);
Result<std::unique_ptr<Optimizer>> createConjugateGradients(const OptimizerSettings& settings, ParameterLayout layout,
                                                            std::unique_ptr<Vectors> vectors);

} // namespace millrace::train
