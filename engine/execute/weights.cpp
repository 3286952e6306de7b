#include "engine/execute/weights.h"

#include "kernels/base/random.h"

#include <algorithm>
#include <cmath>

namespace millrace::execute {

namespace {

using Arena = compile::Placement::Arena;
using Initial = graph::Tensor::Initial;

void fillUniform(std::span<float> values, double bound, Random random)
{
    for (float& value : values) value = static_cast<float>((2 * static_cast<double>(random.uniform()) - 1) * bound);
}

void draw(const graph::Tensor& tensor, std::span<float> values, std::uint64_t seed)
{
    Random random(seed, streamOf(tensor.name));
    const auto fanIn = static_cast<double>(std::max<std::int64_t>(tensor.fanIn, 1));
    const auto fanOut = static_cast<double>(std::max<std::int64_t>(tensor.fanOut, 1));
    switch (tensor.initial) {
    case Initial::Zero:
        std::fill(values.begin(), values.end(), 0.0f);
        break;
    case Initial::One:
        std::fill(values.begin(), values.end(), 1.0f);
        break;
    case Initial::KaimingUniform:
        fillUniform(values, 1 / std::sqrt(fanIn), random);
        break;
    case Initial::XavierUniform:
        fillUniform(values, std::sqrt(6 / (fanIn + fanOut)), random);
        break;
    case Initial::Normal:
        for (float& value : values) value = static_cast<float>(tensor.deviation * random.normal());
        break;
    }
}

std::span<float> valuesAt(const HostBuffer& buffer, std::uint64_t offset, std::uint64_t sizeBytes)
{
    return buffer.floats().subspan(static_cast<std::size_t>(offset / sizeof(float)),
                                   static_cast<std::size_t>(sizeBytes / sizeof(float)));
}

/// States of another type than f32 (caches of keys and values) are no part of a model and have no values to show.
template <class Entries> std::vector<Weights::Named> named(const Entries& entries, const HostBuffer& buffer)
{
    std::vector<Weights::Named> result;
    for (const auto& entry : entries)
        result.push_back(
            {entry.name, entry.shape, entry.decay,
             entry.type == DType::F32 ? valuesAt(buffer, entry.offset, entry.sizeBytes) : std::span<float>(),
             std::span(buffer.at(entry.offset), static_cast<std::size_t>(entry.sizeBytes))});
    return result;
}

} // namespace

Result<HostBuffer> HostBuffer::create(std::uint64_t sizeBytes, std::string_view what, kernels::Device* device)
{
    HostBuffer buffer;
    if (!device) {
        MR_TRY(buffer.m_plain, AlignedBuffer::create(sizeBytes, what));
        return buffer;
    }
    MR_TRY(buffer.m_pinned, device->allocateHost((sizeBytes + 63) / 64 * 64, what));
    std::memset(buffer.at(0), 0, buffer.sizeBytes());
    return buffer;
}

std::vector<Weights::Content::Entry> Weights::Content::entriesOf(const compile::Program& program, Arena arena)
{
    std::vector<Entry> entries;
    for (graph::TensorId id = 0; id < program.placements.size(); ++id) {
        const compile::Placement& placement = program.placements[id];
        const graph::Tensor& tensor = program.graph.tensor(id);
        if (placement.arena != arena) continue;
        entries.push_back(
            {tensor.name, tensor.type, tensor.shape, tensor.decay, placement.offset, placement.sizeBytes});
    }
    return entries;
}

std::byte* Weights::Content::address(Arena arena, std::uint64_t offset) const
{
    if (!place.device) return arena == Arena::States ? states.at(offset) : parameters.at(offset);
    if (arena == Arena::Mirror) return onDevice.mirror->at(offset);
    return arena == Arena::States ? onDevice.states->at(offset) : onDevice.parameters->at(offset);
}

Status Weights::Content::createOnDevice(const compile::Program& program)
{
    kernels::Device& device = *place.device;
    MR_TRY(onDevice.parameters, device.allocate(parameters.sizeBytes(), "parameters"));
    MR_TRY(onDevice.states, device.allocate(states.sizeBytes(), "states"));
    if (program.mirrorBytes > 0) {
        MR_TRY(onDevice.mirror,
               device.allocate(parameters.sizeBytes() / sizeof(float) * sizeBytes(place.storage), "stored parameters"));
    }
    MR_TRY(onDevice.control,
           device.allocate(sizeof(kernels::StepControl) + sizeof(kernels::StepOutcome), "a step's figures"));
    return {};
}

Result<std::shared_ptr<Weights>> Weights::create(const compile::Program& program, std::uint64_t seed,
                                                 const Place& place)
{
    auto content = std::make_shared<Content>();
    content->place = place;
    content->parameterEntries = Content::entriesOf(program, Arena::Parameters);
    content->stateEntries = Content::entriesOf(program, Arena::States);
    MR_TRY(content->parameters, HostBuffer::create(program.parameterBytes, "parameters", place.device.get()));
    MR_TRY(content->states, HostBuffer::create(program.stateBytes, "states", place.device.get()));
    for (graph::TensorId id = 0; id < program.placements.size(); ++id) {
        const compile::Placement& placement = program.placements[id];
        if (program.graph.tensor(id).type != DType::F32) continue;
        if (placement.arena == Arena::Parameters)
            draw(program.graph.tensor(id), valuesAt(content->parameters, placement.offset, placement.sizeBytes), seed);
        if (placement.arena == Arena::States)
            draw(program.graph.tensor(id), valuesAt(content->states, placement.offset, placement.sizeBytes), seed);
    }
    if (place.device) MR_CHECK(content->createOnDevice(program));
    auto weights = std::make_shared<Weights>();
    weights->m_content = std::move(content);
    MR_CHECK(weights->publish());
    return weights;
}

Status Weights::fetch()
{
    const Content& self = *m_content;
    if (!self.place.device) return {};
    kernels::Device& device = *self.place.device;
    device.copy(self.parameters.at(0), self.onDevice.parameters->at(0), self.parameters.sizeBytes());
    device.copy(self.states.at(0), self.onDevice.states->at(0), self.states.sizeBytes());
    return device.synchronize();
}

Status Weights::publish()
{
    const Content& self = *m_content;
    if (!self.place.device) return {};
    kernels::Device& device = *self.place.device;
    device.copy(self.onDevice.parameters->at(0), self.parameters.at(0), self.parameters.sizeBytes());
    refreshMirror();
    return publishStates();
}

Status Weights::publishStates()
{
    const Content& self = *m_content;
    if (!self.place.device) return {};
    self.place.device->copy(self.onDevice.states->at(0), self.states.at(0), self.states.sizeBytes());
    return self.place.device->synchronize();
}

void Weights::refreshMirror()
{
    const Content& self = *m_content;
    if (self.onDevice.mirror)
        self.place.device->convert(self.onDevice.mirror->at(0), self.place.storage,
                                   reinterpret_cast<const float*>(self.onDevice.parameters->at(0)),
                                   self.parameters.sizeBytes() / sizeof(float));
}

const Place& Weights::place() const
{
    return m_content->place;
}

Weights::OnDevice Weights::onDevice() const
{
    const Content& self = *m_content;
    return {reinterpret_cast<float*>(self.onDevice.parameters->at(0)),
            self.onDevice.mirror ? self.onDevice.mirror->at(0) : nullptr,
            reinterpret_cast<kernels::StepControl*>(self.onDevice.control->at(0)),
            reinterpret_cast<kernels::StepOutcome*>(self.onDevice.control->at(sizeof(kernels::StepControl)))};
}

std::span<float> Weights::parameters()
{
    return m_content->parameters.floats();
}

std::span<float> Weights::states()
{
    return m_content->states.floats();
}

std::vector<Weights::Named> Weights::namedParameters()
{
    return named(m_content->parameterEntries, m_content->parameters);
}

std::vector<Weights::Named> Weights::namedStates()
{
    return named(m_content->stateEntries, m_content->states);
}

} // namespace millrace::execute
