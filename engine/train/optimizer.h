// The optimisers: one update of a flat buffer of parameters from a flat buffer of gradients.
#pragma once

#include "kernels/base/result.h"
#include "kernels/ops/optimizer.h"

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::train {

struct OptimizerSettings
{
    double weightDecay = 0;
    double momentum = 0.9;                  ///< sgd only
    std::vector<kernels::Segment> segments; ///< the tensors in the flat buffer
    std::size_t size = 0;                   ///< of the flat buffer, in elements
    int threads = 1;
};

class Optimizer
{
public:
    virtual ~Optimizer() = default;
    /// One update. `step` counts from 1. Both spans have the length `size` of the settings.
    virtual void update(std::span<float> parameters, std::span<const float> gradients, double learningRate,
                        std::int64_t step) = 0;
    /// What must be saved to go on later to the same bits, by name.
    virtual std::map<std::string, std::span<float>> state() = 0;
};

/// "sgd", "adam" or "adamw". Errors: NotFound with the nearest names.
Result<std::unique_ptr<Optimizer>> createOptimizer(std::string_view name, OptimizerSettings settings);

} // namespace millrace::train
