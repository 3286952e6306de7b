// One step of training: the loss and gradient of its rows, the checks for divergence, clipping, the optimiser, the
// moving average of the weights. Supervised and language training differ in where the rows come from.
#pragma once

#include "engine/execute/executor.h"
#include "engine/train/step_rows.h"
#include "engine/train/training_program.h"

#include <map>
#include <memory>
#include <vector>

namespace millrace::train {

/// What a step found out about its rows, before it moved the weights.
struct StepFigures
{
    double loss = 0;    ///< mean
    double weight = 0;  ///< of the rows in a mean over several steps: how many, or the sum of their weights
    double correct = 0; ///< hits among the labels; 0 where the loss counts none
    std::int64_t rows = 0;
};

class Stepper : private Objective
{
public:
    /// Makes programs, kernels and memory for micro-batches of these sizes; no others can be trained on later.
    /// Errors: those of the model, OutOfMemory.
    static Result<std::unique_ptr<Stepper>> create(const TrainingModel& model, const StepSettings& settings,
                                                   const std::vector<std::int64_t>& batchSizes);

    /// Makes step number `step` (from 0) on the rows. Errors: Diverged naming the layer, those of reading.
    Result<StepFigures> step(StepRows& rows, std::int64_t step, double learningRate);

    const std::shared_ptr<execute::Weights>& weights() const { return m_weights; }
    /// Whether the figures count hits.
    bool countsCorrect() const { return m_countsCorrect; }
    /// Exchanges the weights and their moving average, where there is one: for measuring, and back again.
    void exchangeAverage();
    /// All that a checkpoint must keep, by name.
    std::map<std::string, std::span<std::byte>> state();

private:
    Stepper(const StepSettings& settings) : m_settings(settings) {}
    Result<double> evaluate() override;
    std::span<float> parameters() override { return m_weights->parameters(); }
    std::span<float> gradients() override { return m_gradients; }

    Result<execute::Executor*> run(const MicroBatch& rows, std::int64_t index);
    Error diverged(const execute::Executor& executor, bool lossIsFinite) const;
    void clip();

    StepSettings m_settings;
    std::shared_ptr<execute::Weights> m_weights;                            // shared by all executors and the evaluator
    std::map<std::int64_t, std::unique_ptr<execute::Executor>> m_executors; // by rows
    std::unique_ptr<Optimizer> m_optimizer;
    bool m_fullBatch = false, m_countsCorrect = false;
    std::vector<float> m_sum;     ///< of the micro-batches' gradients; empty where each step has but one
    std::vector<float> m_average; ///< of the weights; empty where there is none

    // of the step that is made
    StepRows* m_rows = nullptr;
    std::int64_t m_step = 0;
    std::span<float> m_gradients;
    StepFigures m_figures;
    bool m_evaluated = false;
};

} // namespace millrace::train
