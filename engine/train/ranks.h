// On which ranks a step is made.
#pragma once

#include "engine/collective/collective.h"

#include <cstdint>
#include <memory>

namespace millrace::train {

/// What is exchanged at a time: large enough to use the network, small enough to leave early.
/// Source    PyTorch's DistributedDataParallel: Li et al. 2020, arXiv:2006.15704, section 3.2.3.
constexpr std::uint64_t kBucketBytes = std::uint64_t{25} << 20;

struct Ranks
{
    /// Of all ranks that train the model, where the step's memory lies; null: this rank alone. Shared with whoever
    /// shows its members.
    std::shared_ptr<collective::Group> group = nullptr;
    /// Each rank keeps the optimiser's state of its share of the parameters alone, and updates that (ZeRO stage 1).
    /// Source    Rajbhandari, Rasley, Ruwase, He 2020, arXiv:1910.02054, section 5.
    bool shardOptimizer = false;
    std::uint64_t bucketBytes = kBucketBytes;

    int rank() const { return group ? group->rank() : 0; }
    int worldSize() const { return group ? group->worldSize() : 1; }
};

} // namespace millrace::train
