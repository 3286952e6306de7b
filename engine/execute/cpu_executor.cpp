#include "engine/execute/cpu_executor.h"

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

Result<std::unique_ptr<Executor>> CpuExecutor::create(compile::Program program, std::shared_ptr<Weights> weights,
                                                      int threads)
{
    std::unique_ptr<CpuExecutor> self(new CpuExecutor(std::move(program), weights->m_content));
    self->m_threads = threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
    MR_TRY(self->m_gradients, AlignedBuffer::create(self->m_program.gradientBytes, "gradients"));
    MR_TRY(self->m_work, AlignedBuffer::create(self->m_program.workBytes, "activations"));
    kernels::cpu::spreadThreads(self->m_threads);
    MR_CHECK(self->prepareSteps());
    return std::unique_ptr<Executor>(std::move(self));
}

Status CpuExecutor::prepareSteps()
{
    const kernels::cpu::CpuFactory factory(m_threads);
    std::uint64_t scratchBytes = 0;
    for (const graph::Operation& operation : m_program.graph.operations()) {
        MR_TRY(PreparedOperation prepared, prepare(m_program.graph, operation, m_program.mode, factory));
        scratchBytes = std::max(scratchBytes, prepared.kernel->scratchBytes());
        Step step;
        step.kernel = std::move(prepared.kernel);
        step.layer = operation.layer;
        for (const auto& id : prepared.inputs) step.inputs.push_back(id ? address(*id) : nullptr);
        for (const auto& id : prepared.outputs) {
            step.outputs.push_back(id ? address(*id) : nullptr);
            if (id && m_program.graph.tensor(*id).type == DType::F32)
                step.checked.emplace_back(reinterpret_cast<const float*>(address(*id)), elements(*id));
        }
        m_steps.push_back(std::move(step));
    }
    MR_TRY(m_scratch, AlignedBuffer::create(scratchBytes, "kernels' scratch"));
    return {};
}

std::byte* CpuExecutor::address(TensorId id) const
{
    const compile::Placement& placement = m_program.placements[id];
    if (placement.arena == Arena::Work) return m_work.at(placement.offset);
    if (placement.arena == Arena::Gradients) return m_gradients.at(placement.offset);
    return m_weights->address(placement.arena, placement.offset);
}

void CpuExecutor::execute(const Step& step) const
{
    step.kernel->run({step.inputs, step.outputs, m_scratch.at(0), &m_counter});
}

const CpuExecutor::Step* CpuExecutor::runChecked() const
{
    for (const Step& step : m_steps) {
        execute(step);
        for (const auto values : step.checked)
            if (!kernels::cpu::allFinite(values, m_threads)) return &step;
    }
    return nullptr;
}

Status CpuExecutor::run(std::uint64_t seed, std::uint64_t step, bool checkFinite)
{
    m_counter = {seed, step};
    if (!checkFinite) {
        for (std::size_t i = 0; i < m_steps.size(); ++i) {
            execute(m_steps[i]);
            if (m_afterEach) m_afterEach(i);
        }
        return {};
    }
    const auto* broken = runChecked();
    if (!broken) return {};
    return makeError(Code::Diverged,
                     str("The output of layer ", broken->layer, " is not a finite number at step ", step, "."))
        .atNode(broken->layer);
}

std::vector<Executor::OperationTime> CpuExecutor::time(std::uint64_t seed, std::uint64_t step)
{
    m_counter = {seed, step};
    std::vector<OperationTime> times;
    for (std::size_t i = 0; i < m_steps.size(); ++i) {
        const graph::Operation& operation = m_program.graph.operations()[i];
        const auto start = std::chrono::steady_clock::now();
        execute(m_steps[i]);
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        times.push_back({operation.kind, operation.layer, taken.count(), graph::costOf(m_program.graph, operation)});
    }
    return times;
}

std::string CpuExecutor::firstNonFinite() const
{
    for (TensorId id = 0; id < m_program.placements.size(); ++id) {
        const graph::Tensor& tensor = m_program.graph.tensor(id);
        if (tensor.role == graph::Role::Input && tensor.type == DType::F32 &&
            !kernels::cpu::allFinite({reinterpret_cast<const float*>(address(id)), elements(id)}, m_threads))
            return str(tensor.name, " (the input)");
    }
    const auto states = m_weights->states.floats();
    const std::vector<float> before(states.begin(), states.end());
    const auto* broken = runChecked();
    std::copy(before.begin(), before.end(), states.begin());
    return broken ? broken->layer : std::string();
}

std::uint64_t CpuExecutor::memoryBytes() const
{
    return m_weights->parameters.sizeBytes() + m_weights->states.sizeBytes() + m_gradients.sizeBytes() +
           m_work.sizeBytes() + m_scratch.sizeBytes();
}

} // namespace millrace::execute
