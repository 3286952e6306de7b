// Runs a program on this processor.
#pragma once

#include "engine/execute/aligned_buffer.h"
#include "engine/execute/executor.h"
#include "kernels/ops/kernel.h"

namespace millrace::execute {

class CpuExecutor final : public Executor
{
public:
    /// The program and the weights fit (Executor::create).
    static Result<std::unique_ptr<Executor>> create(compile::Program program, std::shared_ptr<Weights> weights,
                                                    int threads);

    Status run(std::uint64_t seed, std::uint64_t step, bool checkFinite) override;
    std::vector<OperationTime> time(std::uint64_t seed, std::uint64_t step) override;
    std::span<float> gradients() override { return m_gradients.floats(); }
    std::string firstNonFinite() const override;
    std::uint64_t memoryBytes() const override;

private:
    /// One operation with everything its run needs.
    struct Step
    {
        std::unique_ptr<kernels::Kernel> kernel;
        std::vector<const void*> inputs;
        std::vector<void*> outputs;
        std::vector<std::span<const float>> checked; ///< what it writes, for the search for NaN and infinity
        std::string layer;
    };

    using Executor::Executor;
    Status prepareSteps();
    std::byte* address(graph::TensorId id) const;
    std::byte* hostAddress(graph::TensorId id) override { return address(id); }
    void execute(const Step& step) const;
    /// Runs the steps and returns the first whose output is not finite, or null.
    const Step* runChecked() const;

    AlignedBuffer m_gradients, m_work, m_scratch;
    std::vector<Step> m_steps;
    int m_threads = 1;
    kernels::Counter m_counter; ///< of the last run
};

} // namespace millrace::execute
