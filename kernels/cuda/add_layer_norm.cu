// A residual sum and its layer normalisation in one pass on a GPU; how rows are taken stands in row_norm.h.
#include "kernels/ops/add_layer_norm.h"

#include "kernels/cuda/row_norm.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

KernelResult makeAddLayerNorm(Context& context, const AddLayerNorm& norm, DType type)
{
    MR_CHECK(requirePositive("add_layer_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    const row_norm::Shape shape{norm.rows, norm.columns, static_cast<float>(norm.epsilon)};
    return byTypeAndColumns(type, norm.columns, [&](auto element, auto count) {
        using T = decltype(element);
        return makeKernel([&context, shape](const Arguments& a) {
            const row_norm::ForwardOperands<T> operands{.a = static_cast<const T*>(a.inputs[0]),
                                                        .b = static_cast<const T*>(a.inputs[1]),
                                                        .scale = a.input(2),
                                                        .bias = a.input(3),
                                                        .sum = static_cast<T*>(a.outputs[0]),
                                                        .y = static_cast<T*>(a.outputs[1]),
                                                        .mean = a.output(2),
                                                        .rstd = a.output(3)};
            row_norm::enqueueForward<T, decltype(count)::value, true, true>(context, shape, operands);
        });
    });
}

} // namespace millrace::kernels::cuda
