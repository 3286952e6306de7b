// Picking elements along an axis in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

namespace {

/// Calls body(place in x, place in y) for every element of y.
template <class Body> void forEach(const Gather& g, const Values& index, const Body& body)
{
    for (std::int64_t o = 0; o < g.outer; ++o)
        for (std::int64_t k = 0; k < g.count; ++k)
            for (std::int64_t i = 0; i < g.inner; ++i) {
                const auto y = static_cast<std::size_t>((o * g.count + k) * g.inner + i);
                const auto picked = static_cast<std::int64_t>(index[y]);
                body(static_cast<std::size_t>((o * g.size + picked) * g.inner + i), y);
            }
}

} // namespace

void gather(const Gather& gather, Inputs inputs, Outputs outputs)
{
    forEach(gather, inputs[1], [&](std::size_t x, std::size_t y) { outputs[0][y] = inputs[0][x]; });
}

void gatherBackward(const Gather& gather, Inputs inputs, Outputs outputs)
{
    forEach(gather, inputs[0], [&](std::size_t x, std::size_t y) { outputs[0][x] += inputs[1][y]; });
}

} // namespace millrace::kernels::reference
