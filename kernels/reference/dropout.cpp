// Dropout in double, its mask number by number.
#include "kernels/reference/reference.h"

#include "kernels/base/random.h"

namespace millrace::kernels::reference {

void dropout(const Dropout& dropout, std::uint64_t seed, std::uint64_t step, Inputs inputs, Outputs outputs)
{
    const std::uint64_t blocks = (inputs[0].size() + 3) / 4;
    for (std::size_t i = 0; i < inputs[0].size(); ++i) {
        const std::uint32_t number = philox(seed, dropout.stream, step * blocks + i / 4)[i % 4];
        const bool kept = static_cast<double>(number) >= dropout.probability * 0x1p32;
        outputs[0][i] = kept ? inputs[0][i] / (1 - dropout.probability) : 0;
    }
}

} // namespace millrace::kernels::reference
