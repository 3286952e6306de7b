// Layer normalisation on a GPU; how rows are taken stands in row_norm.h.
#include "kernels/ops/layer_norm.h"

#include "kernels/cuda/row_norm.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

KernelResult makeLayerNorm(Context& context, const LayerNorm& norm, DType type)
{
    MR_CHECK(requirePositive("layer_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    const row_norm::Shape shape{norm.rows, norm.columns, static_cast<float>(norm.epsilon)};
    return byTypeAndColumns(type, norm.columns, [&](auto element, auto count) {
        using T = decltype(element);
        return makeKernel([&context, shape](const Arguments& a) {
            const row_norm::ForwardOperands<T> operands{.a = static_cast<const T*>(a.inputs[0]),
                                                        .b = nullptr,
                                                        .scale = a.input(1),
                                                        .bias = a.input(2),
                                                        .sum = nullptr,
                                                        .y = static_cast<T*>(a.outputs[0]),
                                                        .mean = a.output(1),
                                                        .rstd = a.output(2)};
            row_norm::enqueueForward<T, decltype(count)::value, true, false>(context, shape, operands);
        });
    });
}

KernelResult makeLayerNormBackward(Context& context, const LayerNorm& norm, DType type)
{
    MR_CHECK(requirePositive("layer_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    const row_norm::Shape shape{norm.rows, norm.columns, static_cast<float>(norm.epsilon)};
    return byTypeAndColumns(type, norm.columns, [&](auto element, auto count) {
        using T = decltype(element);
        const auto run = [&context, shape, residual = norm.residual](const Arguments& a) {
            const row_norm::BackwardOperands<T> operands{.x = static_cast<const T*>(a.inputs[0]),
                                                         .dy = static_cast<const T*>(a.inputs[4]),
                                                         .dresidual =
                                                             residual ? static_cast<const T*>(a.inputs[5]) : nullptr,
                                                         .scale = a.input(1),
                                                         .mean = a.input(2),
                                                         .rstd = a.input(3),
                                                         .dx = static_cast<T*>(a.outputs[0]),
                                                         .partials = nullptr};
            row_norm::enqueueBackward<T, decltype(count)::value, true>(context, shape, operands, a.scratch, a.output(1),
                                                                       a.output(2));
        };
        return makeKernel(run, row_norm::scratchBytes(context, shape, 2));
    });
}

} // namespace millrace::kernels::cuda
