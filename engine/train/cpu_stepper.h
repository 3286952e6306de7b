// A step of training on this processor.
#pragma once

#include "engine/train/gradient_exchange.h"
#include "engine/train/stepper.h"

namespace millrace::train {

class CpuStepper final : public Stepper, private Objective
{
public:
    /// As Stepper::create.
    static Result<std::unique_ptr<Stepper>> create(const TrainingModel& model, const StepSettings& settings,
                                                   const std::vector<std::int64_t>& batchSizes);

    Status step(StepRows& rows, std::int64_t step, double learningRate) override;
    Result<std::optional<StepFigures>> figures() override { return std::exchange(m_done, std::nullopt); }
    Status finish() override { return {}; }
    Status exchangeAverage() override;
    Result<std::map<std::string, std::span<std::byte>>> state() override;
    Status restored() override { return {}; }

private:
    explicit CpuStepper(const StepSettings& settings) : m_settings(settings) {}
    Result<double> evaluate() override;
    std::span<float> parameters() override { return isSharded() ? m_ownWeights : m_weights->parameters(); }
    std::span<float> gradients() override { return m_gradients; }

    bool isSharded() const { return m_exchange && m_exchange->sharded(); }
    Result<execute::Executor*> executorFor(const MicroBatch& rows) const;
    Status run(execute::Executor& executor, const MicroBatch& rows, std::int64_t index);
    Status evaluateAlone(StepFigures& figures);
    Status evaluateTogether(StepFigures& figures);
    void begin(execute::Executor& executor, float weight, bool first);
    Status takeSum(StepFigures& figures, const execute::Executor& executor, double lossSum);
    Status shareUpdate();
    Status clip();

    StepSettings m_settings;
    std::map<std::int64_t, std::unique_ptr<execute::Executor>> m_executors; // by rows
    std::unique_ptr<Optimizer> m_optimizer;
    bool m_fullBatch = false;
    std::vector<float> m_sum;     ///< of the micro-batches' gradients; empty where each step has but one
    std::vector<float> m_average; ///< of the weights; empty where there is none
    std::optional<StepFigures> m_done;

    // with other ranks
    std::unique_ptr<GradientExchange> m_exchange;    ///< null where this rank is alone
    std::vector<float> m_ownWeights, m_ownGradients; ///< with shards: what the optimiser works on

    // of the step that is made
    StepRows* m_rows = nullptr;
    std::int64_t m_step = 0;
    std::span<float> m_gradients;
    StepFigures m_figures;
    bool m_evaluated = false;
};

} // namespace millrace::train
