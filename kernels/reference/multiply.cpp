// Element-wise product in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

void multiply(const Multiply&, Inputs inputs, Outputs outputs)
{
    for (std::size_t i = 0; i < outputs[0].size(); ++i) outputs[0][i] = inputs[0][i] * inputs[1][i];
}

} // namespace millrace::kernels::reference
