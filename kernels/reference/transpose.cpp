// Reordering axes in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

void transpose(const Transpose& transpose, Inputs inputs, Outputs outputs)
{
    const std::size_t rank = transpose.shape.size();
    for (std::size_t i = 0; i < outputs[0].size(); ++i) {
        std::vector<std::int64_t> position(rank); // in x
        auto rest = static_cast<std::int64_t>(i);
        for (std::size_t k = rank; k-- > 0;) {
            const auto axis = static_cast<std::size_t>(transpose.order[k]);
            position[axis] = rest % transpose.shape[axis];
            rest /= transpose.shape[axis];
        }
        std::int64_t from = 0;
        for (std::size_t axis = 0; axis < rank; ++axis) from = from * transpose.shape[axis] + position[axis];
        outputs[0][i] = inputs[0][static_cast<std::size_t>(from)];
    }
}

} // namespace millrace::kernels::reference
