// One step of training: the loss and gradient of its rows, the checks for divergence, clipping, the optimiser, the
// moving average of the weights. Supervised and language training differ in where the rows come from.
#pragma once

#include "engine/execute/executor.h"
#include "engine/train/step_rows.h"
#include "engine/train/training_program.h"

#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace millrace::train {

/// What a step found out about its rows, before it moved the weights.
struct StepFigures
{
    std::int64_t step = 0;
    double loss = 0;    ///< mean
    double weight = 0;  ///< of the rows in a mean over several steps: how many, or the sum of their weights
    double correct = 0; ///< hits among the labels; 0 where the loss counts none
    std::int64_t rows = 0;
};

/// Steps are begun and finish in order. On the CPU a step is done when step() returns; a GPU may be a few steps behind,
/// so that neither waits for the other. finish() before anything that looks at the weights.
class Stepper
{
public:
    /// Makes programs, kernels and memory for micro-batches of these sizes; no others can be trained on later. On the
    /// GPU where the settings have a device. Errors: those of the model, OutOfMemory, those of the device.
    static Result<std::unique_ptr<Stepper>> create(const TrainingModel& model, const StepSettings& settings,
                                                   const std::vector<std::int64_t>& batchSizes);
    virtual ~Stepper() = default;

    /// Begins step number `step` (from 0) on the rows. Errors: Diverged naming the layer (perhaps of an earlier step,
    /// after which no weight was moved), those of reading and of the device.
    virtual Status step(StepRows& rows, std::int64_t step, double learningRate) = 0;
    /// The figures of the next step that is done; nothing where none is. Errors: as step().
    virtual Result<std::optional<StepFigures>> figures() = 0;
    /// Waits for all steps that were begun; their figures can then be taken. Errors: as step().
    virtual Status finish() = 0;

    /// Exchanges the weights and their moving average, where there is one: for measuring, and back again.
    virtual Status exchangeAverage() = 0;
    /// All that a checkpoint must keep, by name, as it is after finish(); the bytes may be overwritten with what was
    /// kept, and then restored() is called. Errors: those of the device.
    virtual Result<std::map<std::string, std::span<std::byte>>> state() = 0;
    virtual Status restored() = 0;

    const std::shared_ptr<execute::Weights>& weights() const { return m_weights; }
    /// Whether the figures count hits.
    bool countsCorrect() const { return m_countsCorrect; }

protected:
    std::shared_ptr<execute::Weights> m_weights; // shared by all executors and the evaluator
    bool m_countsCorrect = false;
};

/// The Diverged of a step, naming the layer where it first shows.
Error divergence(const execute::Executor& executor, std::int64_t step, bool lossIsFinite);

} // namespace millrace::train
