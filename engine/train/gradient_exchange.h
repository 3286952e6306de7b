// Data parallelism: the sum of all ranks' gradients, exchanged while the way back goes on; and ZeRO stage 1, where each
// rank updates, and keeps the optimiser's state of, its shards alone.
#pragma once

#include "engine/train/gradient_buckets.h"
#include "engine/train/optimizer.h"
#include "engine/train/ranks.h"

#include <functional>
#include <memory>
#include <vector>

namespace millrace::train {

/// One exchange a step:  begin, completed after each operation, finish; with shards then the update of owned() and
/// gather. On a device group all of it is enqueued, and may be captured.
///
/// The sum is made over the ranks in their order (collective::Group), so that all have the same bits, and the bits
/// depend neither on buckets nor on shards.
class GradientExchange
{
public:
    /// Errors: Unsupported naming the optimiser where shards are asked for and its rule needs whole tensors (the norms
    /// of lamb, the matrices of muon) or all parameters (the line searches).
    static Result<std::unique_ptr<GradientExchange>> create(const Ranks& ranks, const OptimizerSettings& optimizer,
                                                            const compile::Program& program);

    collective::Group& group() const { return *m_ranks.group; }
    bool sharded() const { return m_ranks.shardOptimizer; }

    /// The flat buffer of this step's gradients. `prepare`, where there is one, is called with each bucket just before
    /// it leaves: on the host, to weigh or add up what is in it.
    void begin(std::span<float> gradients, std::function<void(const GradientBucket&)> prepare = {});
    /// The operation has been executed, or enqueued: between begin and finish the buckets that it completes leave.
    /// Operations come in order.
    void completed(std::size_t operation);
    /// Lets the remaining buckets leave and waits for all. Then the buffer holds the sum; with shards where owned()
    /// says. Errors: as collective::Group::wait.
    Status finish();

    /// What this rank updates: all, or its shard of each bucket; ascending.
    const std::vector<collective::Shard>& owned() const { return m_owned; }
    /// All ranks' shards of a flat buffer in the parameters' order, in elements of so many bytes. Errors: as finish().
    Status gather(std::span<std::byte> values, std::size_t elementBytes);

    /// The owned elements one after the other: what an optimiser of shards works on. owned() counts in the whole.
    ParameterLayout ownedLayout(const ParameterLayout& whole) const;
    void copyOwned(std::span<const float> whole, std::span<float> own) const;
    void copyBack(std::span<const float> own, std::span<float> whole) const;

    /// figures[i] = the sum over all ranks, in their order. On a host group.
    Status sum(std::span<double> figures);

private:
    GradientExchange(const Ranks& ranks, const compile::Program& program);
    void start(const GradientBucket& bucket);

    Ranks m_ranks;
    std::vector<GradientBucket> m_buckets;
    std::vector<collective::Shard> m_owned;

    // of the step that is made
    std::span<float> m_gradients;
    std::function<void(const GradientBucket&)> m_prepare;
    bool m_open = false;       ///< between begin and finish
    std::size_t m_started = 0; ///< buckets
    std::vector<collective::Ticket> m_tickets;
    std::vector<double> m_figures; ///< 8 of each rank
};

} // namespace millrace::train
