// Runs a program on a GPU: the arenas lie in its memory, and the whole program is one captured step.
#pragma once

#include "engine/execute/executor.h"
#include "kernels/ops/kernel.h"

namespace millrace::execute {

class DeviceExecutor final : public Executor
{
public:
    /// The program and the weights fit (Executor::create). Errors: as there.
    static Result<std::unique_ptr<DeviceExecutor>> create(compile::Program program, std::shared_ptr<Weights> weights);

    Status run(std::uint64_t seed, std::uint64_t step, bool checkFinite) override;
    std::vector<OperationTime> time(std::uint64_t seed, std::uint64_t step) override;
    std::span<float> gradients() override;
    std::string firstNonFinite() const override;
    std::uint64_t memoryBytes() const override;

    // For a trainer, which makes a step of this and more.

    /// Enqueues all operations on the compute queue. Seed and step are those of the weights' StepControl.
    void enqueue() const;
    /// Enqueues the copies of all inputs to their ports; they stay there until they are written again.
    Status uploadInputs() const;
    /// Where a port's values are on the device. Errors: NotFound.
    Result<std::byte*> onDevice(std::string_view port) const;
    float* gradientsOnDevice() const { return reinterpret_cast<float*>(m_gradients->at(0)); }

private:
    struct Step
    {
        std::unique_ptr<kernels::Kernel> kernel;
        std::vector<const void*> inputs;
        std::vector<void*> outputs;
        std::vector<graph::TensorId> written;
        std::string layer;
    };
    /// A port and its place in the host's memory, which is pinned.
    struct Staged
    {
        graph::TensorId id;
        std::uint64_t offset, sizeBytes;
        bool input;
    };

    using Executor::Executor;
    kernels::Device& device() const;
    Status prepareSteps();
    Status prepareStaging();
    std::byte* address(graph::TensorId id) const;
    std::byte* hostAddress(graph::TensorId id) override;
    void execute(const Step& step) const;
    Status setCounter(std::uint64_t seed, std::uint64_t step);
    /// Copies a tensor to the host and looks for NaN and infinity there. Errors: those of the device.
    Result<bool> isFinite(graph::TensorId id) const;
    /// The first step whose output is not finite, or null.
    Result<const Step*> runChecked() const;

    // the device outlives its memory: it is the weights'
    std::unique_ptr<kernels::Memory> m_gradients, m_work, m_scratch, m_staging;
    std::vector<Staged> m_staged;
    std::vector<Step> m_steps;
    std::vector<float> m_gradientCopy;
    std::unique_ptr<kernels::CapturedStep> m_captured;
    bool m_ran = false; ///< the first run is not captured: libraries load what they need
};

} // namespace millrace::execute
