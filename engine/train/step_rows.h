// Where the rows of a step come from.
#pragma once

#include "kernels/base/result.h"

#include <cstdint>
#include <span>

namespace millrace::train {

/// Rows as the ports of a training program take them; what a model or loss does not take is empty.
struct MicroBatch
{
    std::int64_t rows = 0;
    std::span<const float> features;
    std::span<const std::int32_t> tokens; ///< features that are tokens
    std::span<const std::int32_t> labels;
    std::span<const float> targets; ///< as the model's output is to be
    double weight = 0;              ///< of its mean loss in the mean of the step: rows, or the sum of their weights
};

/// The rows of the step that is made, in one or more micro-batches.
class StepRows
{
public:
    virtual ~StepRows() = default;
    /// Goes to the step's first rows; called before each evaluation of the loss. An optimiser with a line search
    /// evaluates several times in a step, any other once.
    virtual Status begin() = 0;
    /// The next rows, valid until the next call; null after the step's last. Errors: those of reading.
    virtual Result<const MicroBatch*> next() = 0;
};

} // namespace millrace::train
