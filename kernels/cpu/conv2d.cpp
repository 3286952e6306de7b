// Convolution on oneDNN's primitives, prepared once, or by Winograd's algorithm where that needs clearly fewer
// operations, or by our own loops for grey images and few filters. A convolution that oneDNN has no direct code for is
// its matrix product.
#include "kernels/cpu/grey_conv.h"
#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/onednn.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/rounded_factors.h"
#include "kernels/cpu/winograd.h"
#include "kernels/ops/check_windows.h"

#include <optional>
#include <vector>

namespace millrace::kernels::cpu {

namespace {

using onednn::Convolution;

std::uint64_t weightBytes(const Conv2d& c)
{
    return static_cast<std::uint64_t>(c.outputChannels * c.kernelHeight * c.kernelWidth * c.channels / c.groups) *
           sizeof(float);
}

/// The threads for each of the three products, which have the same operations.
int threadsFor(const Conv2d& c, int threads)
{
    const std::int64_t outputs = c.batch * c.outputHeight() * c.outputWidth();
    const auto weights = static_cast<double>(weightBytes(c) / sizeof(float));
    return cpu::threadsFor(2 * static_cast<double>(outputs) * weights, threads);
}

class Forward final : public Kernel
{
public:
    Forward(const Conv2d& conv, std::unique_ptr<Convolution> product)
        : m_product(std::move(product)), m_noBias(static_cast<std::size_t>(conv.outputChannels))
    {
    }
    std::uint64_t scratchBytes() const override { return m_product->scratchBytes(); }
    void run(const Arguments& arguments) override
    {
        const float* bias = arguments.input(2) ? arguments.input(2) : m_noBias.data();
        m_product->run({arguments.input(0), arguments.input(1), bias, arguments.output(0)}, arguments.scratch);
    }

private:
    std::unique_ptr<Convolution> m_product;
    std::vector<float> m_noBias; // zeros, where the layer has no bias
};

/// The backward products, of which one may be missing: oneDNN's, and our own of the weights for grey images.
class Backward final : public Kernel
{
public:
    Backward(const Conv2d& conv, std::unique_ptr<Convolution> data, std::unique_ptr<Convolution> weights,
             std::optional<GreyConvolution> grey)
        : m_data(std::move(data)), m_weights(std::move(weights)), m_grey(grey),
          m_unwantedBytes((weightBytes(conv) + 63) / 64 * 64),
          m_biasBytes((static_cast<std::uint64_t>(conv.outputChannels) * sizeof(float) + 63) / 64 * 64)
    {
    }
    std::uint64_t scratchBytes() const override
    {
        const std::uint64_t data = std::max(m_data ? m_data->scratchBytes() : 0, m_grey ? m_grey->scratchBytes() : 0);
        return m_weights ? m_unwantedBytes + m_biasBytes + std::max(data, m_weights->scratchBytes()) : data;
    }
    void run(const Arguments& arguments) override
    {
        const float *x = arguments.input(0), *weight = arguments.input(1), *dy = arguments.input(2);
        float *dx = arguments.output(0), *dweight = arguments.output(1), *dbias = arguments.output(2);
        if (dx) m_data->run({dx, weight, nullptr, dy}, arguments.scratch);
        if (!dweight && !dbias) return;
        if (m_grey) return m_grey->backwardWeights(x, dy, dweight, dbias, arguments.scratch);
        // oneDNN computes both; one that nobody wants goes to scratch memory
        if (!dweight) dweight = reinterpret_cast<float*>(arguments.scratch);
        if (!dbias) dbias = reinterpret_cast<float*>(arguments.scratch + m_unwantedBytes);
        m_weights->run({x, dweight, dbias, dy}, arguments.scratch + m_unwantedBytes + m_biasBytes);
    }

private:
    std::unique_ptr<Convolution> m_data, m_weights;
    std::optional<GreyConvolution> m_grey;
    std::uint64_t m_unwantedBytes, m_biasBytes;
};

KernelResult makeWinograd(const Conv2d& conv, int threads)
{
    const Winograd winograd(conv, threads);
    return makeKernel(
        [winograd](const Arguments& arguments) {
            winograd.forward(arguments.input(0), arguments.input(1), arguments.input(2), arguments.output(0),
                             arguments.scratch);
        },
        winograd.scratchBytes());
}

KernelResult makeWinogradBackward(const Conv2d& conv, int threads)
{
    const Winograd winograd(conv, threads);
    return makeKernel(
        [winograd](const Arguments& arguments) {
            const float *x = arguments.input(0), *weight = arguments.input(1), *dy = arguments.input(2);
            if (float* dx = arguments.output(0)) winograd.backwardData(weight, dy, dx, arguments.scratch);
            winograd.backwardWeights(x, dy, arguments.output(1), arguments.output(2), arguments.scratch);
        },
        winograd.scratchBytes());
}

KernelResult makeGrey(const Conv2d& conv, int threads)
{
    const GreyConvolution grey(conv, threads);
    return makeKernel(
        [grey](const Arguments& arguments) {
            grey.forward(arguments.input(0), arguments.input(1), arguments.input(2), arguments.output(0),
                         arguments.scratch);
        },
        grey.scratchBytes());
}

/// The kernel that `make` makes of the convolution in f32, with its factors rounded.
template <class Make> KernelResult makeRounded(Conv2d conv, std::int64_t lastElements, int threads, const Make& make)
{
    const auto weights = static_cast<std::int64_t>(weightBytes(conv) / sizeof(float));
    conv.precision = Precision::F32;
    MR_TRY(auto kernel, make(conv));
    return makeWithRoundedFactors(
        std::move(kernel), {conv.batch * conv.height * conv.width * conv.channels, weights, lastElements}, threads);
}

} // namespace

KernelResult makeConv2d(const Conv2d& conv, int threads)
{
    MR_CHECK(kernels::check(conv));
    if (conv.precision == Precision::Bf16)
        return makeRounded(conv, 0, threads, [&](const Conv2d& plain) { return makeConv2d(plain, threads); });
    if (Winograd::suits(conv)) return makeWinograd(conv, threadsFor(conv, threads));
    if (GreyConvolution::suits(conv)) return makeGrey(conv, threadsFor(conv, threads));
    MR_TRY(auto product, Convolution::create(conv, Convolution::Part::Forward, threadsFor(conv, threads)));
    return std::unique_ptr<Kernel>(std::make_unique<Forward>(conv, std::move(product)));
}

KernelResult makeConv2dBackward(const Conv2d& conv, int threads, Gradients wanted)
{
    MR_CHECK(kernels::check(conv));
    if (conv.precision == Precision::Bf16)
        return makeRounded(conv, conv.batch * conv.outputHeight() * conv.outputWidth() * conv.outputChannels, threads,
                           [&](const Conv2d& plain) { return makeConv2dBackward(plain, threads, wanted); });
    if (Winograd::suits(conv)) return makeWinogradBackward(conv, threadsFor(conv, threads));
    std::unique_ptr<Convolution> data, weights;
    if (wanted != Gradients::Weights) {
        MR_TRY(data, Convolution::create(conv, Convolution::Part::BackwardData, threadsFor(conv, threads)));
    }
    std::optional<GreyConvolution> grey;
    if (wanted != Gradients::Data && GreyConvolution::suits(conv)) {
        grey.emplace(conv, threadsFor(conv, threads));
    } else if (wanted != Gradients::Data) {
        MR_TRY(weights, Convolution::create(conv, Convolution::Part::BackwardWeights, threadsFor(conv, threads)));
    }
    return std::unique_ptr<Kernel>(std::make_unique<Backward>(conv, std::move(data), std::move(weights), grey));
}

} // namespace millrace::kernels::cpu
