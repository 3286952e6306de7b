// The flat buffer of gradients in pieces that can be exchanged as soon as the way back has finished them.
#pragma once

#include "engine/compile/program.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::train {

/// Elements [begin, end) of the flat buffer, on borders of tensors; complete after that operation of the program.
struct GradientBucket
{
    std::size_t begin = 0, end = 0;
    std::size_t readyAfter = 0; ///< index into the graph's operations
    bool operator==(const GradientBucket&) const = default;
};

/// The whole buffer, cut from its end (the last layers' gradients, which are finished first) into buckets that reach
/// `bucketBytes`; in the order in which the operations finish them. The same for every batch size of a model.
std::vector<GradientBucket> gradientBuckets(const compile::Program& program, std::uint64_t bucketBytes);

} // namespace millrace::train
