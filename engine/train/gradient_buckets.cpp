#include "engine/train/gradient_buckets.h"

#include <algorithm>
#include <map>

namespace millrace::train {

using Arena = compile::Placement::Arena;

std::vector<GradientBucket> gradientBuckets(const compile::Program& program, std::uint64_t bucketBytes)
{
    if (program.gradientBytes == 0) return {};
    std::map<std::uint64_t, std::size_t> writtenBy; // a gradient's offset: the last operation that writes it
    for (std::size_t i = 0; i < program.graph.operations().size(); ++i)
        for (const graph::TensorId id : program.graph.operations()[i].outputs)
            if (program.placements[id].arena == Arena::Gradients) writtenBy[program.placements[id].offset] = i;

    std::vector<std::uint64_t> offsets; // of the parameters, which are the gradients'
    for (const compile::Placement& placement : program.placements)
        if (placement.arena == Arena::Parameters) offsets.push_back(placement.offset);
    std::ranges::sort(offsets, std::greater());

    std::vector<GradientBucket> buckets;
    std::uint64_t end = program.gradientBytes;
    std::size_t ready = 0;
    for (const std::uint64_t offset : offsets) {
        if (const auto writer = writtenBy.find(offset); writer != writtenBy.end())
            ready = std::max(ready, writer->second);
        if (end - offset < bucketBytes && offset != 0) continue;
        buckets.push_back(
            {static_cast<std::size_t>(offset / sizeof(float)), static_cast<std::size_t>(end / sizeof(float)), ready});
        end = offset;
        ready = 0;
    }
    std::ranges::stable_sort(buckets, {}, &GradientBucket::readyAfter);
    return buckets;
}

} // namespace millrace::train
