#include "engine/train/device_stepper.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace millrace::train {

using execute::DeviceExecutor;
using kernels::Queue;
using kernels::StepControl;
using kernels::StepOutcome;

namespace {

// where a slot's result has what
constexpr std::uint64_t kLossAt = sizeof(StepOutcome), kCorrectAt = kLossAt + sizeof(float);
constexpr std::uint64_t kResultBytes = 256;
static_assert(kCorrectAt + sizeof(float) <= kResultBytes);

// A StepControl has what the host says before and behind the loss scale, which is the device's.
constexpr std::uint64_t kCounterBytes = offsetof(kernels::Counter, lossScale);
constexpr std::uint64_t kRateAt = offsetof(StepControl, learningRate), kRateBytes = sizeof(StepControl) - kRateAt;

std::uint64_t aligned(std::uint64_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

/// The ports that rows go to, in the order in which a slot holds them.
std::vector<std::string> rowPorts(const compile::Program& program)
{
    return {"features", program.graph.ports().contains("labels") ? "labels" : "targets"};
}

std::uint64_t portBytes(const compile::Program& program, const std::string& port)
{
    const graph::Tensor& tensor = program.graph.tensor(program.graph.ports().at(port));
    return static_cast<std::uint64_t>(tensor.shape.elements()) * sizeBytes(tensor.type);
}

std::span<const std::byte> valuesFor(const std::string& port, const MicroBatch& rows)
{
    if (port == "labels") return std::as_bytes(rows.labels);
    if (port == "targets") return std::as_bytes(rows.targets);
    return rows.tokens.empty() ? std::as_bytes(rows.features) : std::as_bytes(rows.tokens);
}

} // namespace

DeviceStepper::~DeviceStepper()
{
    // what is still on its way works on memory that goes now; an error was or is nobody's any more
    static_cast<void>(device().synchronize().has_value());
}

Result<std::unique_ptr<Stepper>> DeviceStepper::create(const TrainingModel& model, const StepSettings& settings,
                                                       const std::vector<std::int64_t>& batchSizes)
{
    std::unique_ptr<DeviceStepper> self(new DeviceStepper(settings));
    for (const std::int64_t batch : batchSizes) {
        MR_TRY(compile::Program program, trainingProgram(model, settings, batch));
        if (!self->m_weights) {
            MR_TRY(self->m_weights, execute::Weights::create(program, settings.seed, settings.place()));
            MR_CHECK(self->prepareOptimizer(program));
            self->m_countsCorrect = program.graph.ports().contains("correct");
        }
        MR_TRY(auto executor, execute::Executor::create(std::move(program), self->m_weights, 0));
        if (self->m_ranks)
            executor->afterEach(
                [exchange = &self->m_ranks->exchange()](std::size_t operation) { exchange->completed(operation); });
        if (!model.options.classWeights.empty()) {
            MR_TRY(const auto port, executor->floats("class_weights"));
            std::ranges::copy(model.options.classWeights, port.begin());
        }
        auto* onDevice = static_cast<DeviceExecutor*>(executor.release()); // the place has a device
        self->m_runners[batch].executor.reset(onDevice);
        MR_CHECK(onDevice->uploadInputs());
    }
    MR_CHECK(self->prepareSlots());
    MR_CHECK(self->shareStart());
    MR_CHECK(self->device().synchronize());
    return std::unique_ptr<Stepper>(std::move(self));
}

/// All ranks begin with rank 0's parameters.
Status DeviceStepper::shareStart()
{
    if (!m_ranks) return {};
    MR_CHECK(m_ranks->exchange().group().broadcast(std::as_writable_bytes(parameters()), 0));
    m_weights->refreshMirror();
    return {};
}

Status DeviceStepper::allocate(std::unique_ptr<kernels::Memory>& memory, std::uint64_t sizeBytes, const char* what)
{
    MR_TRY(memory, device().allocate(sizeBytes, what));
    return {};
}

Status DeviceStepper::prepareOptimizer(const compile::Program& program)
{
    ParameterLayout layout = parameterLayout(program);
    m_count = layout.size;
    const std::uint64_t bytes = m_count * sizeof(float);
    if (m_settings.ranks.group) {
        MR_TRY(m_ranks, DeviceRanks::create(m_settings, program, layout));
        layout = m_ranks->layout();
    }
    const std::uint64_t momentBytes = layout.size * sizeof(float);
    if (!isFullBatch(m_settings.optimizer)) {
        MR_TRY(const kernels::UpdateRule rule, updateRule(m_settings.optimizer));
        MR_TRY(m_update, device().makeUpdate(rule, layout.segments));
        for (const std::string_view name : stateNames(rule)) {
            MR_CHECK(allocate(m_moments.emplace_back(), momentBytes, "the optimiser's moments"));
            m_momentPointers.push_back(reinterpret_cast<float*>(m_moments.back()->at(0)));
            m_kept.push_back({str("optimizer.", name), m_moments.back()->at(0), momentBytes, nullptr});
        }
        MR_CHECK(allocate(m_updateScratch, m_update->scratchBytes(), "the optimiser's scratch"));
        MR_CHECK(allocate(m_gradientScratch, device().gradientScratchBytes(), "sums over gradients"));
    } else {
        MR_TRY(m_lineSearch, createLineSearch(m_settings.optimizer, layout, deviceVectors(device())));
        for (const auto& [name, values] : m_lineSearch->vectors())
            m_kept.push_back(
                {str("optimizer.", name), std::as_writable_bytes(values).data(), values.size_bytes(), nullptr});
    }
    if (m_settings.accumulation > 1 || m_lineSearch) MR_CHECK(allocate(m_sum, bytes, "the sum of gradients"));
    if (m_settings.average > 0) {
        MR_CHECK(allocate(m_average, bytes, "the weights' moving average"));
        m_kept.push_back({"average", m_average->at(0), bytes, nullptr});
    }
    const auto shared = m_weights->onDevice();
    m_gradientOptions = {.clipValue = m_settings.clipValue,
                         .clipNorm = m_settings.clipNorm,
                         .dynamicScale = m_settings.precision == "f16"};
    if (m_gradientOptions.dynamicScale)
        m_kept.push_back({"scale", reinterpret_cast<std::byte*>(shared.control),
                          sizeof(StepControl) + sizeof(StepOutcome), nullptr});
    if (m_settings.stochasticRounding && shared.mirror)
        m_kept.push_back({"stored", static_cast<std::byte*>(shared.mirror), m_count * sizeBytes(DType::BF16), nullptr});
    return {};
}

Status DeviceStepper::prepareSlots()
{
    std::uint64_t rowBytes = 0;
    for (const auto& [rows, runner] : m_runners) {
        std::uint64_t bytes = 0;
        for (const std::string& port : rowPorts(runner.executor->program()))
            bytes += aligned(portBytes(runner.executor->program(), port));
        rowBytes = std::max(rowBytes, bytes);
    }
    const std::uint64_t inputBytes = aligned(sizeof(StepControl)) + rowBytes;
    MR_TRY(m_staging, device().allocate(kSlots * inputBytes, "rows on their way"));
    MR_TRY(m_pinned, device().allocateHost(kSlots * (inputBytes + kResultBytes), "rows on their way"));
    for (std::size_t i = 0; i < kSlots; ++i) {
        Slot& slot = m_slots[i];
        slot.staging = m_staging->at(i * inputBytes);
        slot.pinned = m_pinned->at(i * (inputBytes + kResultBytes));
        slot.result = slot.pinned + inputBytes;
        MR_TRY(slot.uploaded, device().createEvent());
        MR_TRY(slot.done, device().createEvent());
    }
    StepControl start; // the loss scale that f16 begins with; finishGradients adapts it
    if (m_gradientOptions.dynamicScale) start.counter.lossScale = 65536;
    const StepOutcome outcome;
    std::memcpy(m_slots[0].pinned, &start, sizeof start);
    std::memcpy(m_slots[0].result, &outcome, sizeof outcome);
    const auto shared = m_weights->onDevice();
    device().copy(shared.control, m_slots[0].pinned, sizeof start);
    device().copy(shared.outcome, m_slots[0].result, sizeof outcome);
    return {};
}

Status DeviceStepper::step(StepRows& rows, std::int64_t step, double learningRate)
{
    m_rows = &rows;
    if (!m_lineSearch) return runBatches(step, learningRate);
    m_searched = {.step = step};
    MR_CHECK(m_lineSearch->step(*this, learningRate, step + 1));
    m_weights->refreshMirror();
    enqueueAverage(step);
    m_done.push_back(m_searched);
    return device().status();
}

Status DeviceStepper::runBatches(std::int64_t step, double learningRate)
{
    MR_CHECK(m_rows->begin());
    m_stepWeight = 0;
    MR_TRY(const MicroBatch* batch, m_rows->next());
    for (std::int64_t index = 0; batch; ++index) {
        StepControl control;
        control.counter.seed = m_settings.seed;
        // dropout draws anew for each micro-batch of each rank; in a line search it draws the same at each point
        control.counter.step = static_cast<std::uint64_t>((step * m_settings.accumulation + index) * worldSize() +
                                                          m_settings.ranks.rank());
        control.learningRate = learningRate;
        control.update = step + 1;
        if (m_inFlight == kSlots) MR_CHECK(retire());
        Slot& slot = m_slots[m_next];
        slot.step = step;
        MR_CHECK(fill(slot, *batch, control));
        // whether it is the last is known when the next was read, which may take the memory of this one
        MR_TRY(batch, m_rows->next());
        slot.last = batch == nullptr;
        MR_CHECK(launch(m_runners.at(slot.rows), m_next, index == 0));
        m_next = (m_next + 1) % kSlots;
        m_inFlight += 1;
        MR_CHECK(device().status());
        if (m_ranks) MR_CHECK(m_ranks->exchange().group().status());
    }
    return {};
}

/// For a search along a line: loss and gradient where the weights are now, waited for.
Result<double> DeviceStepper::evaluate()
{
    m_weights->refreshMirror();
    MR_CHECK(runBatches(m_searched.step, 0));
    MR_CHECK(finish());
    const StepFigures figures = m_done.back();
    m_done.pop_back();
    if (m_searched.rows == 0) m_searched = figures;
    auto* sum = reinterpret_cast<float*>(m_sum->at(0));
    device().scale(sum, static_cast<float>(1 / figures.weight), m_count);
    MR_TRY(const double square, device().dot(sum, sum, m_count));
    if (!std::isfinite(square)) {
        const Slot& last = m_slots[(m_next + kSlots - 1) % kSlots];
        return divergence(*m_runners.at(last.rows).executor, last.step, true);
    }
    return figures.loss;
}

/// Copies rows and control into the slot's pinned memory and sends them to its staging memory.
Status DeviceStepper::fill(Slot& slot, const MicroBatch& rows, const StepControl& control) const
{
    const auto found = m_runners.find(rows.rows);
    if (found == m_runners.end())
        return makeError(Code::Internal, str("No program was made for a batch of ", rows.rows, " rows."));
    const compile::Program& program = found->second.executor->program();
    std::memcpy(slot.pinned, &control, sizeof control);
    std::uint64_t offset = aligned(sizeof control);
    for (const std::string& port : rowPorts(program)) {
        const auto values = valuesFor(port, rows);
        if (values.size() != portBytes(program, port))
            return makeError(Code::Internal, str("The port ", port, " takes ", portBytes(program, port),
                                                 " bytes, but the rows have ", values.size(), "."));
        std::memcpy(slot.pinned + offset, values.data(), values.size());
        offset += aligned(values.size());
    }
    slot.rows = rows.rows;
    slot.weight = rows.weight;
    device().copy(slot.staging, slot.pinned, offset, Queue::Transfer);
    device().record(*slot.uploaded, Queue::Transfer);
    device().waitFor(*slot.uploaded, Queue::Compute);
    return {};
}

Status DeviceStepper::launch(Runner& runner, std::size_t index, bool first)
{
    const Slot& slot = m_slots[index];
    auto& captured = runner.captured[index];
    if (!captured && runner.ran) {
        Status enqueued;
        MR_TRY(captured, device().capture([&] { enqueued = enqueueRun(runner, slot); }));
        MR_CHECK(enqueued);
    }
    if (captured)
        captured->launch();
    else
        MR_CHECK(enqueueRun(runner, slot));
    runner.ran = true;
    if (m_sum) {
        auto* sum = reinterpret_cast<float*>(m_sum->at(0));
        const float* gradients = runner.executor->gradientsOnDevice();
        device().combine(sum, first ? 0.0F : 1.0F, gradients, static_cast<float>(slot.weight), m_count);
        m_stepWeight += slot.weight;
        if (slot.last && m_update) {
            if (m_ranks) m_ranks->exchange().begin({sum, static_cast<std::size_t>(m_count)});
            MR_CHECK(enqueueUpdate(sum, m_stepWeight, slot.step));
            MR_CHECK(enqueueResults(runner, slot));
        }
    }
    device().record(*slot.done, Queue::Compute);
    return {};
}

/// What is captured: with one micro-batch to a step all of it, else all but the sum and the update.
Status DeviceStepper::enqueueRun(const Runner& runner, const Slot& slot) const
{
    enqueueInputs(runner, slot);
    float* const gradients = runner.executor->gradientsOnDevice();
    if (m_ranks && !m_sum) m_ranks->exchange().begin({gradients, static_cast<std::size_t>(m_count)});
    runner.executor->enqueue();
    if (!m_sum) MR_CHECK(enqueueUpdate(gradients, 1, slot.step));
    return enqueueResults(runner, slot);
}

void DeviceStepper::enqueueInputs(const Runner& runner, const Slot& slot) const
{
    auto* control = reinterpret_cast<std::byte*>(m_weights->onDevice().control);
    device().copy(control, slot.staging, kCounterBytes);
    device().copy(control + kRateAt, slot.staging + kRateAt, kRateBytes);
    std::uint64_t offset = aligned(sizeof(StepControl));
    const compile::Program& program = runner.executor->program();
    for (const std::string& port : rowPorts(program)) {
        const std::uint64_t bytes = portBytes(program, port);
        device().copy(*runner.executor->onDevice(port), slot.staging + offset, bytes);
        offset += aligned(bytes);
    }
}

/// The gradients are this rank's; those of all ranks' that were begun to exchange are waited for.
Status DeviceStepper::enqueueUpdate(float* gradients, double weight, std::int64_t step) const
{
    const auto shared = m_weights->onDevice();
    kernels::GradientOptions options = m_gradientOptions;
    options.weight = static_cast<float>(weight * worldSize());
    std::byte* const scratch = m_gradientScratch->at(0);
    kernels::UpdateOperands operands{.weights = shared.parameters,
                                     .gradients = gradients,
                                     .state = m_momentPointers,
                                     .mirror = shared.mirror,
                                     .mirrorType = m_weights->place().storage,
                                     .stochasticRounding = m_settings.stochasticRounding,
                                     .scratch = m_updateScratch->at(0),
                                     .control = shared.control,
                                     .outcome = shared.outcome};
    if (m_ranks) MR_CHECK(m_ranks->exchange().finish());
    if (m_ranks && m_ranks->exchange().sharded()) {
        const std::span<float> parameters(shared.parameters, static_cast<std::size_t>(m_count));
        operands.mirror = nullptr; // that of all parameters follows when the other ranks' have come
        MR_CHECK(m_ranks->updateShards(
            {parameters, {gradients, parameters.size()}, options, shared.control, shared.outcome, scratch},
            [&](float* ownWeights, const float* ownGradients) {
                operands.weights = ownWeights;
                operands.gradients = ownGradients;
                m_update->run(operands);
            }));
        m_weights->refreshMirror();
    } else {
        device().finishGradients(gradients, m_count, options, shared.control, shared.outcome, scratch);
        m_update->run(operands);
    }
    enqueueAverage(step);
    return {};
}

void DeviceStepper::enqueueAverage(std::int64_t step) const
{
    if (!m_average) return;
    // the first step is never captured: it is the first run of its program
    const auto kept = static_cast<float>(step == 0 ? 0 : m_settings.average);
    const auto newer = static_cast<float>(step == 0 ? 1 : 1 - m_settings.average);
    device().combine(reinterpret_cast<float*>(m_average->at(0)), kept, m_weights->onDevice().parameters, newer,
                     m_count);
}

Status DeviceStepper::enqueueResults(const Runner& runner, const Slot& slot) const
{
    device().copy(slot.result, m_weights->onDevice().outcome, sizeof(StepOutcome));
    const std::byte* loss = *runner.executor->onDevice("loss");
    const std::byte* correct = m_countsCorrect ? *runner.executor->onDevice("correct") : nullptr;
    if (m_ranks) {
        MR_CHECK(m_ranks->sumFigures(loss, correct));
        loss = reinterpret_cast<const std::byte*>(m_ranks->figures());
        correct = loss + sizeof(float);
    }
    device().copy(slot.result + kLossAt, loss, sizeof(float));
    if (m_countsCorrect) device().copy(slot.result + kCorrectAt, correct, sizeof(float));
    return {};
}

Status DeviceStepper::retire()
{
    const Slot& slot = m_slots[(m_next + kSlots - m_inFlight) % kSlots];
    MR_CHECK(slot.done->wait());
    StepOutcome outcome;
    float loss = 0, correct = 0;
    std::memcpy(&outcome, slot.result, sizeof outcome);
    std::memcpy(&loss, slot.result + kLossAt, sizeof loss);
    if (m_countsCorrect) std::memcpy(&correct, slot.result + kCorrectAt, sizeof correct);
    MR_CHECK(checkFinite(slot, std::isfinite(loss), outcome));
    m_inFlight -= 1;
    m_figures.step = slot.step;
    // with other ranks loss and hits are sums over all; each rank's rows weigh the same
    const double weight = slot.weight * worldSize();
    m_figures.loss += static_cast<double>(loss) / worldSize() * (m_sum ? weight : 1);
    m_figures.weight += weight;
    m_figures.correct += static_cast<double>(correct);
    m_figures.rows += slot.rows * worldSize();
    if (!slot.last) return {};
    if (m_sum) m_figures.loss /= m_figures.weight;
    m_done.push_back(m_figures);
    m_figures = {};
    return {};
}

/// A gradient that f16 could not hold is no divergence: the step was left out, and the loss scale is lower now.
Status DeviceStepper::checkFinite(const Slot& slot, bool lossIsFinite, const StepOutcome& outcome)
{
    const bool gradientIsFinite = outcome.finite != 0 || m_gradientOptions.dynamicScale || (m_sum && !slot.last);
    if (lossIsFinite && gradientIsFinite) return {};
    MR_CHECK(device().synchronize());
    const Runner& runner = m_runners.at(slot.rows);
    enqueueInputs(runner, slot); // its rows are still in its slot, and no weight was moved since
    return divergence(*runner.executor, slot.step, lossIsFinite);
}

Result<std::optional<StepFigures>> DeviceStepper::figures()
{
    while (m_inFlight > 0 && m_done.empty() && m_slots[(m_next + kSlots - m_inFlight) % kSlots].done->reached())
        MR_CHECK(retire());
    MR_CHECK(device().status());
    if (m_done.empty()) return std::optional<StepFigures>();
    const StepFigures figures = m_done.front();
    m_done.pop_front();
    return std::optional(figures);
}

Status DeviceStepper::finish()
{
    while (m_inFlight > 0) MR_CHECK(retire());
    return {};
}

Status DeviceStepper::exchangeAverage()
{
    if (!m_average) return {};
    MR_CHECK(finish());
    device().exchange(m_weights->onDevice().parameters, reinterpret_cast<float*>(m_average->at(0)), m_count);
    m_weights->refreshMirror();
    return device().synchronize();
}

Result<std::map<std::string, std::span<std::byte>>> DeviceStepper::state()
{
    MR_CHECK(finish());
    for (Kept& kept : m_kept) {
        if (!kept.host) {
            MR_TRY(kept.host, device().allocateHost(kept.sizeBytes, "a checkpoint"));
        }
        device().copy(kept.host->at(0), kept.onDevice, kept.sizeBytes);
    }
    MR_CHECK(m_weights->fetch());
    std::map<std::string, std::span<std::byte>> all{{"parameters", std::as_writable_bytes(m_weights->parameters())},
                                                    {"states", std::as_writable_bytes(m_weights->states())}};
    for (const Kept& kept : m_kept)
        all[kept.name] = std::span(kept.host->at(0), static_cast<std::size_t>(kept.sizeBytes));
    if (m_lineSearch)
        for (const auto& [name, bytes] : m_lineSearch->numbers()) all["optimizer." + name] = bytes;
    return all;
}

Status DeviceStepper::restored()
{
    MR_CHECK(m_weights->publish());
    for (const Kept& kept : m_kept) device().copy(kept.onDevice, kept.host->at(0), kept.sizeBytes);
    return device().synchronize();
}

} // namespace millrace::train
