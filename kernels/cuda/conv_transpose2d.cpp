// Transposed convolution on the graphs of the convolution whose transpose it is: forward is that one's gradient of the
// image, the gradient of its input that one's forward product, with the roles of x and dy exchanged.
#include "kernels/ops/conv_transpose2d.h"

#include "kernels/base/text.h"
#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/convolution.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/product_epilogue.h"
#include "kernels/ops/check.h"
#include "kernels/ops/check_windows.h"

#include <algorithm>
#include <array>
#include <optional>

namespace millrace::kernels::cuda {

namespace {

using Kind = NetworkGraph::Convolution;

Status check(const ConvTranspose2d& c)
{
    MR_CHECK(requirePositive("conv_transpose2d", {{"output height", c.outputHeight()},
                                                  {"output width", c.outputWidth()},
                                                  {"height", c.height},
                                                  {"width", c.width}}));
    const auto fits = [](std::int64_t padding, std::int64_t stride) { return padding >= 0 && padding < stride; };
    if (!fits(c.outputPadHeight, c.strideHeight) || !fits(c.outputPadWidth, c.strideWidth))
        return makeError(Code::InvalidArgument, str("conv_transpose2d: output padding is ", c.outputPadHeight, "×",
                                                    c.outputPadWidth, ", expected less than the stride."));
    return kernels::check(c.convolution());
}

std::int64_t outputRows(const ConvTranspose2d& c)
{
    return c.batch * c.outputHeight() * c.outputWidth();
}

} // namespace

KernelResult makeConvTranspose2d(Context& context, const ConvTranspose2d& conv, DType type)
{
    MR_CHECK(requireF32("conv_transpose2d", type));
    MR_CHECK(check(conv));
    MR_TRY(Network gradient, makeConvolution(context, Kind::Data, conv.convolution(), type));
    const std::uint64_t scratchBytes = gradient.scratchBytes();
    return makeKernel(
        [&context, gradient, type, rows = outputRows(conv), columns = conv.outputChannels](const Arguments& arguments) {
            const void *x = arguments.inputs[0], *weight = arguments.inputs[1], *bias = arguments.inputs[2];
            void* y = arguments.outputs[0];
            context.check(gradient.run(std::array<const void*, 3>{y, weight, x}, arguments.scratch));
            if (bias) applyEpilogue(context, type, Epilogue::None, y, bias, nullptr, rows, columns);
        },
        scratchBytes);
}

KernelResult makeConvTranspose2dBackward(Context& context, const ConvTranspose2d& conv, DType type, Gradients wanted)
{
    MR_CHECK(requireF32("conv_transpose2d", type));
    MR_CHECK(check(conv));
    std::optional<Network> data, weights;
    const BiasGradient bias(context, type, outputRows(conv), conv.outputChannels);
    std::uint64_t scratchBytes = bias.scratchBytes();
    if (wanted != Gradients::Weights) {
        MR_TRY(data, makeConvolution(context, Kind::Forward, conv.convolution(), type));
        scratchBytes = std::max(scratchBytes, data->scratchBytes());
    }
    if (wanted != Gradients::Data) {
        MR_TRY(weights, makeConvolution(context, Kind::Weights, conv.convolution(), type));
        scratchBytes = std::max(scratchBytes, weights->scratchBytes());
    }
    return makeKernel(
        [&context, data, weights, bias](const Arguments& arguments) {
            const void *x = arguments.inputs[0], *weight = arguments.inputs[1], *dy = arguments.inputs[2];
            const void *dx = arguments.outputs[0], *dweight = arguments.outputs[1];
            if (dx) context.check(data->run(std::array{dy, weight, dx}, arguments.scratch));
            if (dweight) context.check(weights->run(std::array{dy, dweight, x}, arguments.scratch));
            if (float* dbias = arguments.output(2)) bias.run(dy, dbias, arguments.scratch);
        },
        scratchBytes);
}

} // namespace millrace::kernels::cuda
