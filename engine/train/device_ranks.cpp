#include "engine/train/device_ranks.h"

#include "kernels/base/text.h"

namespace millrace::train {

using collective::Shard;

namespace {

constexpr std::size_t kNumbers = 8; // of a rank: 64 bytes, the border of shards

Error oneGpuAlone(std::string_view what)
{
    return makeError(Code::Unsupported, str(what, " one GPU alone."));
}

Status check(const StepSettings& settings)
{
    if (settings.ranks.group->memory() != collective::Memory::Device)
        return makeError(Code::InvalidArgument,
                         "The ranks exchange what lies in the host's memory, but the training is on a GPU.")
            .advise("Make the group with NCCL.");
    if (isFullBatch(settings.optimizer))
        return oneGpuAlone(str("The optimizer ", printable(settings.optimizer.id), " searches along a line on"));
    if (settings.stochasticRounding && settings.ranks.worldSize() > 1)
        return oneGpuAlone("Stochastic rounding would draw differently on each rank: it works on");
    return {};
}

} // namespace

Result<std::unique_ptr<DeviceRanks>> DeviceRanks::create(const StepSettings& settings, const compile::Program& program,
                                                         const ParameterLayout& whole)
{
    MR_CHECK(check(settings));
    std::unique_ptr<DeviceRanks> self(new DeviceRanks(settings.device));
    MR_TRY(self->m_exchange, GradientExchange::create(settings.ranks, settings.optimizer, program));
    self->m_layout = self->m_exchange->sharded() ? self->m_exchange->ownedLayout(whole) : whole;
    MR_CHECK(self->allocate());
    return self;
}

Status DeviceRanks::allocate()
{
    const auto ranks = static_cast<std::uint64_t>(worldSize());
    MR_TRY(m_figures, m_device->allocate(2 * sizeof(float), "figures of the ranks"));
    if (!m_exchange->sharded()) return {};
    MR_TRY(m_weights, m_device->allocate(m_layout.size * sizeof(float), "this rank's weights"));
    MR_TRY(m_gradients, m_device->allocate(m_layout.size * sizeof(float), "this rank's gradients"));
    MR_TRY(m_squares, m_device->allocate(ranks * kNumbers * sizeof(double), "norms of the ranks"));
    return {};
}

void DeviceRanks::copyOwned(std::span<const float> whole, std::span<float> own) const
{
    for (const Shard& shard : m_exchange->owned()) {
        m_device->copy(own.data(), whole.data() + shard.begin, shard.size() * sizeof(float));
        own = own.subspan(shard.size());
    }
}

/// Clipping and what is not finite are of the whole gradient: each rank adds up its shards' squares, all have all sums.
Status DeviceRanks::conclude(const Step& step)
{
    auto* squares = reinterpret_cast<double*>(m_squares->at(0));
    const auto rank = static_cast<std::size_t>(m_exchange->group().rank());
    const std::size_t count = kNumbers * static_cast<std::size_t>(worldSize());
    copyOwned(step.gradients, values(*m_gradients));
    m_device->squareGradients(values(*m_gradients).data(), m_layout.size, step.options, step.control,
                              squares + rank * kNumbers, step.gradientScratch);
    auto& group = m_exchange->group();
    MR_CHECK(group.wait(group.startAllGather(std::as_writable_bytes(std::span(squares, count)), sizeof(float))));
    m_device->concludeGradients(squares, count, step.options, step.control, step.outcome);
    return {};
}

Status DeviceRanks::share(std::span<float> parameters)
{
    std::span<float> own = values(*m_weights);
    for (const Shard& shard : m_exchange->owned()) {
        m_device->copy(parameters.data() + shard.begin, own.data(), shard.size() * sizeof(float));
        own = own.subspan(shard.size());
    }
    return m_exchange->gather(std::as_writable_bytes(parameters), sizeof(float));
}

Status DeviceRanks::sumFigures(const std::byte* loss, const std::byte* correct)
{
    const auto figures = values(*m_figures).first(2);
    m_device->copy(figures.data(), loss, sizeof(float));
    if (correct) m_device->copy(figures.data() + 1, correct, sizeof(float));
    return m_exchange->group().allReduce(figures);
}

} // namespace millrace::train
