// Contract of dropout with a mask that is a pure function of seed, stream and step.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y[i] = x[i] / (1 - probability) where kept, else 0; kept where u[i] >= probability * 2^32, with u[i] the number
/// i mod 4 of Philox block step * ceil(N/4) + i/4 of (seed, stream); seed and step come with the arguments of each run.
/// Forward   x -> y
/// Backward  dy -> dx, the same function: the mask is computed again, never stored.
/// Inference probability 0: a copy.
/// Shapes    all (N).   Types f32.   Aliasing: y may be x.
/// Cost      reads N, writes N elements.   Errors: InvalidArgument unless 0 <= probability < 1.
/// Source    Srivastava et al. 2014, JMLR 15, section 4 ("inverted" as PyTorch); Philox: kernels/base/random.h.
struct Dropout
{
    std::int64_t elements = 0; ///< N
    double probability = 0.5;
    std::uint64_t stream = 0; ///< streamOf("dropout/<layer>")
};

} // namespace millrace::kernels
