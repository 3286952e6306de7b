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

std::span<float> valuesAt(const AlignedBuffer& buffer, std::uint64_t offset, std::uint64_t sizeBytes)
{
    return buffer.floats().subspan(static_cast<std::size_t>(offset / sizeof(float)),
                                   static_cast<std::size_t>(sizeBytes / sizeof(float)));
}

} // namespace

std::vector<Weights::Content::Entry> Weights::Content::entriesOf(const compile::Program& program, Arena arena)
{
    std::vector<Entry> entries;
    for (graph::TensorId id = 0; id < program.placements.size(); ++id) {
        const compile::Placement& placement = program.placements[id];
        const graph::Tensor& tensor = program.graph.tensor(id);
        if (placement.arena != arena) continue;
        entries.push_back({tensor.name, tensor.shape, tensor.decay, placement.offset, placement.sizeBytes});
    }
    return entries;
}

Result<std::shared_ptr<Weights>> Weights::create(const compile::Program& program, std::uint64_t seed)
{
    auto content = std::make_shared<Content>();
    content->parameterEntries = Content::entriesOf(program, Arena::Parameters);
    content->stateEntries = Content::entriesOf(program, Arena::States);
    MR_TRY(content->parameters, AlignedBuffer::create(program.parameterBytes, "parameters"));
    MR_TRY(content->states, AlignedBuffer::create(program.stateBytes, "states"));
    for (graph::TensorId id = 0; id < program.placements.size(); ++id) {
        const compile::Placement& placement = program.placements[id];
        if (placement.arena == Arena::Parameters)
            draw(program.graph.tensor(id), valuesAt(content->parameters, placement.offset, placement.sizeBytes), seed);
        if (placement.arena == Arena::States)
            draw(program.graph.tensor(id), valuesAt(content->states, placement.offset, placement.sizeBytes), seed);
    }
    auto weights = std::make_shared<Weights>();
    weights->m_content = std::move(content);
    return weights;
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
    std::vector<Named> result;
    for (const auto& entry : m_content->parameterEntries)
        result.push_back(
            {entry.name, entry.shape, entry.decay, valuesAt(m_content->parameters, entry.offset, entry.sizeBytes)});
    return result;
}

std::vector<Weights::Named> Weights::namedStates()
{
    std::vector<Named> result;
    for (const auto& entry : m_content->stateEntries)
        result.push_back(
            {entry.name, entry.shape, entry.decay, valuesAt(m_content->states, entry.offset, entry.sizeBytes)});
    return result;
}

} // namespace millrace::execute
