// Contract of the choice of the next token: the most likely one.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// token[b] = the least v with logits[b,T-1,v] >= all logits[b,T-1,:]; -1 where one of these is no finite number
/// Forward   logits -> token
/// Shapes    logits (B,T,V) row-major; token (B) i32.
/// Types     logits of the factory's type.   Aliasing: none.
/// Cost      reads BV elements.
/// Source    generate::Sampler at a temperature of 0 (engine/generate/sampler.h), which it agrees with. Draws at other
///           temperatures are sums in f64 in the order of the tokens, which are left to that.
struct Sample
{
    std::int64_t batch = 0, steps = 1, classes = 0; ///< B, T, V
};

} // namespace millrace::kernels
