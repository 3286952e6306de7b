#include "engine/execute/device_executor.h"

#include "engine/execute/operation_kernels.h"
#include "engine/execute/weights.h"
#include "engine/graph/operations.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <chrono>
#include <cstring>

namespace millrace::execute {

using Arena = compile::Placement::Arena;
using graph::TensorId;

namespace {

constexpr std::uint64_t kAlignment = 256;

std::uint64_t aligned(std::uint64_t bytes)
{
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

/// In which type an operation keeps its activations: that of the first operand of a storage type, else f32. A cast's
/// kernel knows both of its types.
DType storageOf(const graph::Graph& graph, const graph::Operation& operation)
{
    for (const auto* ids : {&operation.inputs, &operation.outputs})
        for (const TensorId id : *ids) {
            const DType type = graph.tensor(id).type;
            if (type == DType::BF16 || type == DType::F16) return type;
        }
    return DType::F32;
}

/// Whether all exponent bits of some element are set: NaN or infinity.
template <class Bits> bool anyNonFinite(const std::byte* bytes, std::size_t count, Bits exponent)
{
    for (std::size_t i = 0; i < count; ++i) {
        Bits bits;
        std::memcpy(&bits, bytes + i * sizeof(Bits), sizeof bits);
        if ((bits & exponent) == exponent) return true;
    }
    return false;
}

} // namespace

kernels::Device& DeviceExecutor::device() const
{
    return *m_weights->place.device;
}

Result<std::unique_ptr<DeviceExecutor>> DeviceExecutor::create(compile::Program program,
                                                               std::shared_ptr<Weights> weights)
{
    std::unique_ptr<DeviceExecutor> self(new DeviceExecutor(std::move(program), weights->m_content));
    kernels::Device& device = self->device();
    MR_TRY(self->m_gradients, device.allocate(self->m_program.gradientBytes, "gradients"));
    MR_TRY(self->m_work, device.allocate(self->m_program.workBytes, "activations"));
    MR_CHECK(self->prepareSteps());
    MR_CHECK(self->prepareStaging());
    MR_CHECK(device.synchronize());
    return self;
}

Status DeviceExecutor::prepareSteps()
{
    std::uint64_t scratchBytes = 0;
    for (const graph::Operation& operation : m_program.graph.operations()) {
        const kernels::Factory& factory = device().factory(storageOf(m_program.graph, operation));
        MR_TRY(PreparedOperation prepared, prepare(m_program.graph, operation, m_program.mode, factory));
        scratchBytes = std::max(scratchBytes, prepared.kernel->scratchBytes());
        Step step;
        step.kernel = std::move(prepared.kernel);
        step.layer = operation.layer;
        for (const auto& id : prepared.inputs) step.inputs.push_back(id ? address(*id) : nullptr);
        for (const auto& id : prepared.outputs) {
            step.outputs.push_back(id ? address(*id) : nullptr);
            if (id) step.written.push_back(*id);
        }
        m_steps.push_back(std::move(step));
    }
    MR_TRY(m_scratch, device().allocate(scratchBytes, "kernels' scratch"));
    return {};
}

// Gradients are ports too, but nobody reads them one by one.
Status DeviceExecutor::prepareStaging()
{
    std::uint64_t offset = aligned(sizeof(kernels::StepControl));
    for (const auto& [name, id] : m_program.graph.ports()) {
        const graph::Tensor& tensor = m_program.graph.tensor(id);
        if (tensor.role == graph::Role::Gradient || name.starts_with("gradient/")) continue;
        const std::uint64_t size = elements(id) * sizeBytes(tensor.type);
        m_staged.push_back({id, offset, size, tensor.role == graph::Role::Input});
        offset += aligned(size);
    }
    MR_TRY(m_staging, device().allocateHost(offset, "inputs and results"));
    std::memset(m_staging->at(0), 0, offset);
    return {};
}

std::byte* DeviceExecutor::address(TensorId id) const
{
    const compile::Placement& placement = m_program.placements[id];
    if (placement.arena == Arena::Work) return m_work->at(placement.offset);
    if (placement.arena == Arena::Gradients) return m_gradients->at(placement.offset);
    return m_weights->address(placement.arena, placement.offset);
}

std::byte* DeviceExecutor::hostAddress(TensorId id)
{
    const auto found = std::ranges::find(m_staged, id, &Staged::id);
    return found == m_staged.end() ? nullptr : m_staging->at(found->offset);
}

void DeviceExecutor::execute(const Step& step) const
{
    const auto* control = reinterpret_cast<const kernels::StepControl*>(m_weights->onDevice.control->at(0));
    step.kernel->run({step.inputs, step.outputs, m_scratch->at(0), &control->counter});
}

void DeviceExecutor::enqueue() const
{
    for (std::size_t i = 0; i < m_steps.size(); ++i) {
        execute(m_steps[i]);
        if (m_afterEach) m_afterEach(i);
    }
}

Status DeviceExecutor::uploadInputs() const
{
    for (const Staged& port : m_staged)
        if (port.input) device().copy(address(port.id), m_staging->at(port.offset), port.sizeBytes);
    return device().status();
}

Result<std::byte*> DeviceExecutor::onDevice(std::string_view port) const
{
    MR_TRY(const TensorId id, m_program.graph.port(port));
    return address(id);
}

Status DeviceExecutor::setCounter(std::uint64_t seed, std::uint64_t step)
{
    kernels::StepControl control;
    control.counter = {seed, step};
    std::memcpy(m_staging->at(0), &control, sizeof control);
    device().copy(m_weights->onDevice.control->at(0), m_staging->at(0), sizeof control);
    return device().status();
}

Status DeviceExecutor::run(std::uint64_t seed, std::uint64_t step, bool checkFinite)
{
    MR_CHECK(setCounter(seed, step));
    MR_CHECK(uploadInputs());
    if (checkFinite) {
        MR_TRY(const Step* broken, runChecked());
        if (broken)
            return makeError(Code::Diverged,
                             str("The output of layer ", broken->layer, " is not a finite number at step ", step, "."))
                .atNode(broken->layer);
    } else if (m_captured) {
        m_captured->launch();
    } else {
        if (m_ran) {
            MR_TRY(m_captured, device().capture([this] { enqueue(); }));
            m_captured->launch();
        } else {
            enqueue();
        }
        m_ran = true;
    }
    for (const Staged& port : m_staged)
        if (!port.input) device().copy(m_staging->at(port.offset), address(port.id), port.sizeBytes);
    return device().synchronize();
}

std::vector<Executor::OperationTime> DeviceExecutor::time(std::uint64_t seed, std::uint64_t step)
{
    constexpr int kRuns = 10; // waiting for the GPU takes about as long as a small kernel
    std::vector<OperationTime> times;
    if (!setCounter(seed, step) || !device().synchronize()) return times;
    for (std::size_t i = 0; i < m_steps.size(); ++i) {
        const graph::Operation& operation = m_program.graph.operations()[i];
        execute(m_steps[i]);
        if (!device().synchronize()) return times;
        const auto start = std::chrono::steady_clock::now();
        for (int run = 0; run < kRuns; ++run) execute(m_steps[i]);
        if (!device().synchronize()) return times;
        const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
        times.push_back(
            {operation.kind, operation.layer, taken.count() / kRuns, graph::costOf(m_program.graph, operation)});
    }
    return times;
}

std::span<float> DeviceExecutor::gradients()
{
    m_gradientCopy.resize(static_cast<std::size_t>(m_gradients->sizeBytes() / sizeof(float)));
    const auto pinned = device().allocateHost(m_gradients->sizeBytes(), "gradients");
    if (!pinned) return {};
    device().copy((*pinned)->at(0), m_gradients->at(0), m_gradients->sizeBytes());
    if (!device().synchronize()) return {};
    std::memcpy(m_gradientCopy.data(), (*pinned)->at(0), m_gradients->sizeBytes());
    return m_gradientCopy;
}

Result<bool> DeviceExecutor::isFinite(TensorId id) const
{
    const graph::Tensor& tensor = m_program.graph.tensor(id);
    if (tensor.type == DType::I32) return true;
    const std::uint64_t size = elements(id) * sizeBytes(tensor.type);
    MR_TRY(const auto copy, device().allocateHost(size, "the search for numbers that are not finite"));
    device().copy(copy->at(0), address(id), size);
    MR_CHECK(device().synchronize());
    switch (tensor.type) {
    case DType::BF16:
        return !anyNonFinite<std::uint16_t>(copy->at(0), elements(id), 0x7F80);
    case DType::F16:
        return !anyNonFinite<std::uint16_t>(copy->at(0), elements(id), 0x7C00);
    default:
        return !anyNonFinite<std::uint32_t>(copy->at(0), elements(id), 0x7F800000U);
    }
}

Result<const DeviceExecutor::Step*> DeviceExecutor::runChecked() const
{
    for (const Step& step : m_steps) {
        execute(step);
        for (const TensorId id : step.written) {
            MR_TRY(const bool finite, isFinite(id));
            if (!finite) return &step;
        }
    }
    return nullptr;
}

std::string DeviceExecutor::firstNonFinite() const
{
    for (const Staged& port : m_staged) {
        if (!port.input) continue;
        const auto finite = isFinite(port.id);
        if (finite && !*finite) return str(m_program.graph.tensor(port.id).name, " (the input)");
    }
    const std::uint64_t size = m_weights->states.sizeBytes();
    const auto before = device().allocate(size, "states");
    if (!before) return {};
    device().copy((*before)->at(0), m_weights->onDevice.states->at(0), size);
    const auto broken = runChecked();
    device().copy(m_weights->onDevice.states->at(0), (*before)->at(0), size);
    if (!device().synchronize() || !broken || !*broken) return {};
    return (*broken)->layer;
}

std::uint64_t DeviceExecutor::memoryBytes() const
{
    const auto& shared = m_weights->onDevice;
    return shared.parameters->sizeBytes() + shared.states->sizeBytes() +
           (shared.mirror ? shared.mirror->sizeBytes() : 0) + m_gradients->sizeBytes() + m_work->sizeBytes() +
           m_scratch->sizeBytes();
}

} // namespace millrace::execute
