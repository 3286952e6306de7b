// Joining and cutting along an axis in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

void concatenate(const Concatenate& join, Inputs inputs, Outputs outputs)
{
    std::size_t at = 0;
    for (std::int64_t o = 0; o < join.outer; ++o) {
        std::size_t input = 0;
        for (const auto& [size, there] : join.parts) {
            for (std::int64_t i = 0; i < size; ++i, ++at)
                outputs[0][at] = there ? inputs[input][static_cast<std::size_t>(o * size + i)] : 0;
            input += there ? 1 : 0;
        }
    }
}

void concatenateBackward(const Concatenate& join, Inputs inputs, Outputs outputs)
{
    std::size_t at = 0;
    for (std::int64_t o = 0; o < join.outer; ++o) {
        std::size_t output = 0;
        for (const auto& [size, there] : join.parts) {
            for (std::int64_t i = 0; i < size; ++i, ++at)
                if (there) outputs[output][static_cast<std::size_t>(o * size + i)] = inputs[0][at];
            output += there ? 1 : 0;
        }
    }
}

} // namespace millrace::kernels::reference
