// What a training on a GPU does with other ranks: everything is enqueued, on memory of the device.
#pragma once

#include "engine/train/gradient_exchange.h"
#include "engine/train/settings.h"
#include "kernels/ops/device.h"

namespace millrace::train {

/// Sums gradients and figures over the ranks and, with shards, makes the update of this rank's. The ranks'
/// micro-batches of a step must weigh the same: the factors of a captured step cannot change.
class DeviceRanks
{
public:
    /// Errors: InvalidArgument for a group on the host's memory; Unsupported for what works on one GPU alone (searches
    /// along a line, stochastic rounding), those of GradientExchange::create, those of allocating.
    static Result<std::unique_ptr<DeviceRanks>> create(const StepSettings& settings, const compile::Program& program,
                                                       const ParameterLayout& whole);

    GradientExchange& exchange() const { return *m_exchange; }
    /// What the optimiser's update and state are of: all parameters, or with shards this rank's, one after the other.
    const ParameterLayout& layout() const { return m_layout; }
    int worldSize() const { return m_exchange->group().worldSize(); }

    /// What an update works on beside its state.
    struct Step
    {
        std::span<float> parameters, gradients; ///< of the whole model; gradients summed, as exchange() left them
        kernels::GradientOptions options;       ///< its weight is the sum's
        kernels::StepControl* control;
        kernels::StepOutcome* outcome;
        std::byte* gradientScratch;
    };
    /// With shards: the outcome from all ranks' shards, the update of this rank's by `update(weights, gradients)`, and
    /// all others' updates. Errors: those of the group.
    template <class Update> Status updateShards(const Step& step, Update update)
    {
        MR_CHECK(conclude(step));
        copyOwned(step.parameters, values(*m_weights));
        update(values(*m_weights).data(), values(*m_gradients).data());
        return share(step.parameters);
    }
    /// The step's loss and hits, of all ranks: their sums over the ranks lie at figures(). Errors: those of the group.
    Status sumFigures(const std::byte* loss, const std::byte* correct);
    const float* figures() const { return values(*m_figures).data(); }

private:
    explicit DeviceRanks(std::shared_ptr<kernels::Device> device) : m_device(std::move(device)) {}
    static std::span<float> values(const kernels::Memory& memory)
    {
        return {reinterpret_cast<float*>(memory.at(0)), static_cast<std::size_t>(memory.sizeBytes() / sizeof(float))};
    }
    Status allocate();
    Status conclude(const Step& step);
    Status share(std::span<float> parameters);
    void copyOwned(std::span<const float> whole, std::span<float> own) const;

    std::shared_ptr<kernels::Device> m_device; // shared with the stepper; it outlives the memory
    std::unique_ptr<GradientExchange> m_exchange;
    ParameterLayout m_layout;
    std::unique_ptr<kernels::Memory> m_weights, m_gradients; ///< with shards: the owned elements, one after the other
    std::unique_ptr<kernels::Memory> m_squares;              ///< with shards: 8 numbers of each rank, the first is used
    std::unique_ptr<kernels::Memory> m_figures;
};

} // namespace millrace::train
