// Root-mean-square normalisation on a GPU; how rows are taken stands in row_norm.h.
#include "kernels/ops/rms_norm.h"

#include "kernels/cuda/row_norm.h"
#include "kernels/ops/check.h"

namespace millrace::kernels::cuda {

KernelResult makeRmsNorm(Context& context, const RmsNorm& norm, DType type)
{
    MR_CHECK(requirePositive("rms_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    const row_norm::Shape shape{norm.rows, norm.columns, static_cast<float>(norm.epsilon)};
    return byTypeAndColumns(type, norm.columns, [&](auto element, auto count) {
        using T = decltype(element);
        return makeKernel([&context, shape](const Arguments& a) {
            const row_norm::ForwardOperands<T> operands{.a = static_cast<const T*>(a.inputs[0]),
                                                        .b = nullptr,
                                                        .scale = a.input(1),
                                                        .bias = nullptr,
                                                        .sum = nullptr,
                                                        .y = static_cast<T*>(a.outputs[0]),
                                                        .mean = nullptr,
                                                        .rstd = a.output(1)};
            row_norm::enqueueForward<T, decltype(count)::value, false, false>(context, shape, operands);
        });
    });
}

KernelResult makeRmsNormBackward(Context& context, const RmsNorm& norm, DType type)
{
    MR_CHECK(requirePositive("rms_norm", {{"rows", norm.rows}, {"columns", norm.columns}}));
    const row_norm::Shape shape{norm.rows, norm.columns, static_cast<float>(norm.epsilon)};
    return byTypeAndColumns(type, norm.columns, [&](auto element, auto count) {
        using T = decltype(element);
        const auto run = [&context, shape](const Arguments& a) {
            const row_norm::BackwardOperands<T> operands{.x = static_cast<const T*>(a.inputs[0]),
                                                         .dy = static_cast<const T*>(a.inputs[3]),
                                                         .dresidual = nullptr,
                                                         .scale = a.input(1),
                                                         .mean = nullptr,
                                                         .rstd = a.input(2),
                                                         .dx = static_cast<T*>(a.outputs[0]),
                                                         .partials = nullptr};
            row_norm::enqueueBackward<T, decltype(count)::value, false>(context, shape, operands, a.scratch,
                                                                        a.output(1), nullptr);
        };
        return makeKernel(run, row_norm::scratchBytes(context, shape, 1));
    });
}

} // namespace millrace::kernels::cuda
