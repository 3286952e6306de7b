#include "engine/execute/executor.h"

#include "engine/execute/aligned_buffer.h"
#include "engine/execute/operation_kernels.h"
#include "engine/execute/weights.h"
#include "engine/graph/operations.h"
#include "kernels/base/text.h"
#include "kernels/cpu/factory.h"
#include "kernels/cpu/optimizer.h"
#include "kernels/cpu/threads.h"

#include <algorithm>
#include <chrono>
#include <thread>

namespace millrace::execute {

using Arena = compile::Placement::Arena;
using graph::TensorId;

struct Executor::Implementation
{
    /// One operation with everything its run needs.
    struct Step
    {
        std::unique_ptr<kernels::Kernel> kernel;
        std::vector<const void*> inputs;
        std::vector<void*> outputs;
        std::vector<std::span<const float>> checked; ///< what it writes, for the search for NaN and infinity
        std::string layer;
    };

    compile::Program program;
    std::shared_ptr<Weights::Content> weights; // shared with the other executors of the same model
    AlignedBuffer gradients, work, scratch;
    std::vector<Step> steps;
    int threads = 1;
    kernels::Counter counter; ///< of the last run

    std::byte* address(TensorId id) const
    {
        const compile::Placement& placement = program.placements[id];
        switch (placement.arena) {
        case Arena::Parameters:
            return weights->parameters.at(placement.offset);
        case Arena::States:
            return weights->states.at(placement.offset);
        case Arena::Gradients:
            return gradients.at(placement.offset);
        case Arena::Mirror: // a GPU's
        case Arena::Work:
            break;
        }
        return work.at(placement.offset);
    }

    template <class T> std::span<T> values(TensorId id) const
    {
        return {reinterpret_cast<T*>(address(id)), static_cast<std::size_t>(program.graph.tensor(id).shape.elements())};
    }

    template <class T> Result<std::span<T>> port(std::string_view name, DType type) const
    {
        MR_TRY(const TensorId id, program.graph.port(name));
        if (program.graph.tensor(id).type != type)
            return makeError(Code::InvalidArgument,
                             str("The port \"", name, "\" holds ", millrace::name(program.graph.tensor(id).type),
                                 ", not ", millrace::name(type), "."));
        return values<T>(id);
    }

    Status prepareSteps();
    void execute(const Step& step) const { step.kernel->run({step.inputs, step.outputs, scratch.at(0), &counter}); }
    /// Runs the steps and returns the first whose output is not finite, or null.
    const Step* runChecked() const
    {
        for (const Step& step : steps) {
            execute(step);
            for (const auto values : step.checked)
                if (!kernels::cpu::allFinite(values, threads)) return &step;
        }
        return nullptr;
    }
};

Status Executor::Implementation::prepareSteps()
{
    const kernels::cpu::CpuFactory factory(threads);
    std::uint64_t scratchBytes = 0;
    for (const graph::Operation& operation : program.graph.operations()) {
        MR_TRY(PreparedOperation prepared, prepare(program.graph, operation, program.mode, factory));
        scratchBytes = std::max(scratchBytes, prepared.kernel->scratchBytes());
        Step step;
        step.kernel = std::move(prepared.kernel);
        step.layer = operation.layer;
        for (const auto& id : prepared.inputs) step.inputs.push_back(id ? address(*id) : nullptr);
        for (const auto& id : prepared.outputs) {
            step.outputs.push_back(id ? address(*id) : nullptr);
            if (id && program.graph.tensor(*id).type == DType::F32) step.checked.push_back(values<const float>(*id));
        }
        steps.push_back(std::move(step));
    }
    MR_TRY(scratch, AlignedBuffer::create(scratchBytes, "kernels' scratch"));
    return {};
}

Executor::Executor() : m_implementation(std::make_unique<Implementation>()) {}
Executor::~Executor() = default;

Result<std::unique_ptr<Executor>> Executor::create(compile::Program program, std::shared_ptr<Weights> weights,
                                                   int threads)
{
    const auto& content = weights->m_content;
    if (Weights::Content::entriesOf(program, Arena::Parameters) != content->parameterEntries ||
        Weights::Content::entriesOf(program, Arena::States) != content->stateEntries)
        return makeError(Code::InvalidArgument, "The weights belong to another model: names, shapes or order of its "
                                                "parameters differ.");
    std::unique_ptr<Executor> executor(new Executor);
    Implementation& self = *executor->m_implementation;
    self.program = std::move(program);
    self.weights = content;
    self.threads = threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    MR_TRY(self.gradients, AlignedBuffer::create(self.program.gradientBytes, "gradients"));
    MR_TRY(self.work, AlignedBuffer::create(self.program.workBytes, "activations"));
    kernels::cpu::spreadThreads(self.threads);
    MR_CHECK(self.prepareSteps());
    return executor;
}

Status Executor::run(std::uint64_t seed, std::uint64_t step, bool checkFinite)
{
    Implementation& self = *m_implementation;
    self.counter = {seed, step};
    if (!checkFinite) {
        for (const auto& one : self.steps) self.execute(one);
        return {};
    }
    const auto* broken = self.runChecked();
    if (!broken) return {};
    return makeError(Code::Diverged,
                     str("The output of layer ", broken->layer, " is not a finite number at step ", step, "."))
        .atNode(broken->layer);
}

std::vector<Executor::OperationTime> Executor::time(std::uint64_t seed, std::uint64_t step)
{
    Implementation& self = *m_implementation;
    self.counter = {seed, step};
    std::vector<OperationTime> times;
    for (std::size_t i = 0; i < self.steps.size(); ++i) {
        const graph::Operation& operation = self.program.graph.operations()[i];
        const auto start = std::chrono::steady_clock::now();
        self.execute(self.steps[i]);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        times.push_back({operation.kind, operation.layer, taken.count(), graph::costOf(self.program.graph, operation)});
    }
    return times;
}

std::string Executor::firstNonFinite() const
{
    const Implementation& self = *m_implementation;
    for (TensorId id = 0; id < self.program.placements.size(); ++id) {
        const graph::Tensor& tensor = self.program.graph.tensor(id);
        if (tensor.role == graph::Role::Input && tensor.type == DType::F32 &&
            !kernels::cpu::allFinite(self.values<const float>(id), self.threads))
            return str(tensor.name, " (the input)");
    }
    const auto states = self.weights->states.floats();
    const std::vector<float> before(states.begin(), states.end());
    const auto* broken = self.runChecked();
    std::copy(before.begin(), before.end(), states.begin());
    return broken ? broken->layer : std::string();
}

Result<std::span<float>> Executor::floats(std::string_view port)
{
    return m_implementation->port<float>(port, DType::F32);
}

Result<std::span<std::int32_t>> Executor::integers(std::string_view port)
{
    return m_implementation->port<std::int32_t>(port, DType::I32);
}

std::span<float> Executor::gradients()
{
    return m_implementation->gradients.floats();
}

const compile::Program& Executor::program() const
{
    return m_implementation->program;
}

std::uint64_t Executor::memoryBytes() const
{
    const Implementation& self = *m_implementation;
    return self.weights->parameters.sizeBytes() + self.weights->states.sizeBytes() + self.gradients.sizeBytes() +
           self.work.sizeBytes() + self.scratch.sizeBytes();
}

} // namespace millrace::execute
