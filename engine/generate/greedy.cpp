#include "engine/generate/greedy.h"

#include "engine/execute/device_executor.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace millrace::generate {

namespace {

/// The first of the largest values; -1 where one of them is not finite. Sixteen maxima side by side make the loop one
/// of vectors; a value that is not finite makes its lane's sum of differences from itself so.
std::int32_t largest(std::span<const float> values)
{
    constexpr std::size_t kLanes = 16;
    std::array<float, kLanes> most, wrong{};
    most.fill(values[0]);
    std::size_t i = 0;
    for (; i + kLanes <= values.size(); i += kLanes)
        for (std::size_t lane = 0; lane < kLanes; ++lane) {
            const float value = values[i + lane];
            most[lane] = value > most[lane] ? value : most[lane];
            wrong[lane] += value - value;
        }
    float all = *std::ranges::max_element(most), sum = 0;
    for (; i < values.size(); ++i) {
        all = std::max(all, values[i]);
        sum += values[i] - values[i];
    }
    for (const float lane : wrong) sum += lane;
    return sum == 0 ? static_cast<std::int32_t>(std::ranges::find(values, all) - values.begin()) : -1;
}

} // namespace

Result<Greedy> Greedy::create(execute::Executor& executor, const execute::Place& place)
{
    Greedy greedy(executor);
    const graph::Graph& graph = executor.program().graph;
    MR_TRY(const auto features, graph.port("features"));
    MR_TRY(const auto output, graph.port("output"));
    greedy.m_texts = static_cast<std::size_t>(graph.tensor(features).shape[0]);
    greedy.m_vocabulary = static_cast<std::size_t>(graph.tensor(output).shape[2]);
    if (place.device) MR_CHECK(greedy.prepare(place.device));
    return greedy;
}

Status Greedy::prepare(const std::shared_ptr<kernels::Device>& device)
{
    auto* executor = dynamic_cast<execute::DeviceExecutor*>(m_executor);
    if (!executor) return makeError(Code::Internal, "An executor of the CPU was given with a GPU.");
    m_onDevice = std::make_unique<OnDevice>();
    OnDevice& self = *m_onDevice;
    self.device = device;
    MR_TRY(self.tokens, executor->onDevice("features"));
    if (executor->program().graph.ports().contains("offset")) {
        MR_TRY(self.offset, executor->onDevice("offset"));
    }
    MR_TRY(self.logits, executor->onDevice("output"));
    MR_TRY(self.choose, device->factory(DType::F32)
                            .makeSample({.batch = static_cast<std::int64_t>(m_texts),
                                         .steps = 1,
                                         .classes = static_cast<std::int64_t>(m_vocabulary)}));
    return {};
}

Result<std::span<const std::int32_t>> Greedy::write(std::span<const std::int32_t> tokens, std::int64_t length,
                                                    std::int64_t count)
{
    if (tokens.size() != m_texts || count < 1)
        return makeError(Code::InvalidArgument, str(count, " tokens are to follow one token in each of ", tokens.size(),
                                                    " texts, but the model reads ", m_texts, "."));
    m_written.resize(static_cast<std::size_t>(count) * m_texts);
    MR_CHECK(m_onDevice ? writeOnDevice(tokens, length) : writeHere(tokens, length));
    if (std::ranges::find(m_written, -1) != m_written.end())
        return makeError(Code::Diverged, "The model's output is not a finite number, so no token follows from it.")
            .advise("Train it again with a lower learning rate.");
    return m_written;
}

Status Greedy::writeHere(std::span<const std::int32_t> tokens, std::int64_t length)
{
    MR_TRY(const auto features, m_executor->integers("features"));
    std::span<std::int32_t> offset;
    if (m_executor->program().graph.ports().contains("offset")) {
        MR_TRY(offset, m_executor->integers("offset"));
    }
    std::ranges::copy(tokens, features.begin());
    for (std::size_t at = 0; at < m_written.size(); at += m_texts) {
        std::ranges::fill(offset, static_cast<std::int32_t>(length++));
        MR_CHECK(m_executor->run(0, 0));
        MR_TRY(const auto logits, m_executor->floats("output"));
        for (std::size_t text = 0; text < m_texts; ++text) {
            const std::int32_t token = largest(logits.subspan(text * m_vocabulary, m_vocabulary));
            m_written[at + text] = token;
            features[text] = std::max(token, 0);
        }
    }
    return {};
}

void Greedy::enqueueStep() const
{
    const OnDevice& self = *m_onDevice;
    static_cast<execute::DeviceExecutor*>(m_executor)->enqueue();
    const std::array<const void*, 1> inputs{self.logits};
    const std::array<void*, 1> outputs{self.tokens};
    self.choose->run({inputs, outputs, nullptr, nullptr});
}

Status Greedy::writeOnDevice(std::span<const std::int32_t> tokens, std::int64_t length)
{
    OnDevice& self = *m_onDevice;
    const std::size_t steps = m_written.size() / m_texts;
    const std::uint64_t rowBytes = m_texts * sizeof(std::int32_t), bytes = (steps + 1) * rowBytes + steps * 4;
    if (!self.host || self.host->sizeBytes() < bytes) {
        MR_TRY(self.host, self.device->allocateHost(bytes, "tokens and their places"));
    }
    auto* first = reinterpret_cast<std::int32_t*>(self.host->at(0));
    std::int32_t* offsets = first + m_texts;
    std::int32_t* written = offsets + steps;
    std::ranges::copy(tokens, first);
    self.device->copy(self.tokens, first, rowBytes);
    for (std::size_t step = 0; step < steps; ++step) {
        offsets[step] = static_cast<std::int32_t>(length) + static_cast<std::int32_t>(step);
        if (self.offset) self.device->copy(self.offset, offsets + step, sizeof(std::int32_t));
        if (self.ran && !self.step) {
            MR_TRY(self.step, self.device->capture([this] { enqueueStep(); }));
        }
        if (self.step)
            self.step->launch();
        else
            enqueueStep();
        self.ran = true;
        self.device->copy(written + step * m_texts, self.tokens, rowBytes);
    }
    MR_CHECK(self.device->synchronize());
    std::copy_n(written, m_written.size(), m_written.begin());
    return {};
}

} // namespace millrace::generate
