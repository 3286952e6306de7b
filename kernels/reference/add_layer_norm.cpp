// A residual sum and the layer normalisation of it, in double.
#include "kernels/reference/reference.h"

namespace millrace::kernels::reference {

void addLayerNorm(const AddLayerNorm& norm, Inputs inputs, Outputs outputs)
{
    add({norm.rows * norm.columns}, inputs.first(2), outputs.first(1));
    const Values operands[] = {outputs[0], inputs[2], inputs[3]};
    layerNorm({norm.rows, norm.columns, norm.epsilon}, operands, outputs.subspan(1));
}

} // namespace millrace::kernels::reference
