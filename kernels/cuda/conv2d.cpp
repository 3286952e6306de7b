// Convolution by cuDNN, channels last. Its weight gradient has the type of the images, since cuDNN has no engine that
// writes f32 sums of bf16 or f16 images; it is converted afterwards. A bias is added by the engine where one can,
// otherwise by a kernel of ours; its gradient is a sum over rows.
#include "kernels/ops/conv2d.h"

#include "kernels/cuda/bias_gradient.h"
#include "kernels/cuda/convolution.h"
#include "kernels/cuda/fastest.h"
#include "kernels/cuda/kernel.h"
#include "kernels/cuda/product_epilogue.h"
#include "kernels/ops/check_windows.h"

#include <algorithm>
#include <array>
#include <optional>

namespace millrace::kernels::cuda {

namespace {

using Kind = NetworkGraph::Convolution;

class Conv2dBackward final : public Kernel
{
public:
    static KernelResult make(Context& context, const Conv2d& conv, DType type, Gradients wanted)
    {
        std::unique_ptr<Conv2dBackward> kernel(new Conv2dBackward(context));
        std::uint64_t shared = 0;
        if (wanted != Gradients::Weights) {
            MR_TRY(kernel->m_data, makeConvolution(context, Kind::Data, conv, type));
            shared = std::max(shared, kernel->m_data->scratchBytes());
        }
        Layout scratch;
        if (wanted != Gradients::Data) {
            MR_TRY(kernel->m_weights, makeConvolution(context, Kind::Weights, conv, type));
            kernel->m_bias.emplace(context, type, conv.batch * conv.outputHeight() * conv.outputWidth(),
                                   conv.outputChannels);
            shared = std::max({shared, kernel->m_weights->scratchBytes(), kernel->m_bias->scratchBytes()});
            if (type != DType::F32) {
                const std::int64_t elements =
                    conv.outputChannels * conv.kernelHeight * conv.kernelWidth * (conv.channels / conv.groups);
                MR_TRY(kernel->m_cast, makeCast(context, {.elements = elements, .from = type, .to = DType::F32}));
                kernel->m_stored = scratch.add(static_cast<std::uint64_t>(elements) * sizeBytes(type));
            }
        }
        kernel->m_shared = scratch.add(shared);
        kernel->m_scratchBytes = scratch.sizeBytes();
        return std::unique_ptr<Kernel>(std::move(kernel));
    }

    std::uint64_t scratchBytes() const override { return m_scratchBytes; }

    void run(const Arguments& arguments) override
    {
        const void *x = arguments.inputs[0], *weight = arguments.inputs[1], *dy = arguments.inputs[2];
        std::byte* scratch = arguments.scratch + m_shared;
        if (void* dx = arguments.outputs[0])
            m_context.check(m_data->run(std::array{static_cast<const void*>(dx), weight, dy}, scratch));
        if (void* dweight = arguments.outputs[1]) {
            void* stored = m_cast ? arguments.scratch + m_stored : dweight;
            m_context.check(m_weights->run(std::array{x, static_cast<const void*>(stored), dy}, scratch));
            const void* from = stored;
            if (m_cast) m_cast->run({.inputs = std::span(&from, 1), .outputs = std::span(&dweight, 1)});
        }
        if (float* dbias = arguments.output(2)) m_bias->run(dy, dbias, scratch);
    }

private:
    explicit Conv2dBackward(Context& context) : m_context(context) {}

    Context& m_context;
    std::optional<Network> m_data, m_weights;
    std::optional<BiasGradient> m_bias;
    std::unique_ptr<Kernel> m_cast;                               ///< of the weights' gradient to f32
    std::uint64_t m_stored = 0, m_shared = 0, m_scratchBytes = 0; ///< in the scratch
};

} // namespace

KernelResult makeConv2d(Context& context, const Conv2d& conv, DType type)
{
    MR_CHECK(kernels::check(conv));
    MR_TRY(Network plain, makeConvolution(context, Kind::Forward, conv, type));
    auto biased = makeConvolution(context, Kind::Forward, conv, type, true);
    if (!biased && biased.error().code != Code::Unsupported) return biased.error();
    std::optional<Network> fused;
    if (biased) fused = std::move(biased).value();
    const std::uint64_t scratchBytes = std::max(plain.scratchBytes(), fused ? fused->scratchBytes() : 0);
    const std::int64_t rows = conv.batch * conv.outputHeight() * conv.outputWidth();
    return makeKernel(
        [&context, plain, fused, type, rows, columns = conv.outputChannels](const Arguments& arguments) {
            const void *x = arguments.inputs[0], *weight = arguments.inputs[1], *bias = arguments.inputs[2];
            void* y = arguments.outputs[0];
            if (bias && fused) {
                context.check(fused->run(std::array<const void*, 5>{x, weight, nullptr, bias, y}, arguments.scratch));
                return;
            }
            context.check(plain.run(std::array<const void*, 3>{x, weight, y}, arguments.scratch));
            if (bias) applyEpilogue(context, type, Epilogue::None, y, bias, nullptr, rows, columns);
        },
        scratchBytes);
}

KernelResult makeConv2dBackward(Context& context, const Conv2d& conv, DType type, Gradients wanted)
{
    MR_CHECK(kernels::check(conv));
    return Conv2dBackward::make(context, conv, type, wanted);
}

} // namespace millrace::kernels::cuda
