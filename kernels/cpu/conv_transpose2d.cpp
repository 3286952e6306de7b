// Transposed convolution on the kernels of the convolution whose transpose it is: forward is that one's gradient of the
// image, the gradient of its input that one's forward product.
#include "kernels/ops/conv_transpose2d.h"

#include "kernels/cpu/column_sums.h"
#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/parallel.h"
#include "kernels/cpu/vector_math.h"

#include <algorithm>

namespace millrace::kernels::cpu {

namespace {

Status check(const ConvTranspose2d& c)
{
    MR_CHECK(requirePositive("conv_transpose2d", {{"output height", c.outputHeight()},
                                                  {"output width", c.outputWidth()},
                                                  {"height", c.height},
                                                  {"width", c.width}}));
    const auto fits = [](std::int64_t padding, std::int64_t stride) { return padding >= 0 && padding < stride; };
    if (fits(c.outputPadHeight, c.strideHeight) && fits(c.outputPadWidth, c.strideWidth)) return {};
    return makeError(Code::InvalidArgument, str("conv_transpose2d: output padding is ", c.outputPadHeight, "×",
                                                c.outputPadWidth, ", expected less than the stride."));
}

std::int64_t outputRows(const ConvTranspose2d& c)
{
    return c.batch * c.outputHeight() * c.outputWidth();
}

MR_VECTORISED void addToRows(float* y, const float* bias, std::int64_t columns, std::int64_t begin, std::int64_t end)
{
    for (std::int64_t r = begin; r < end; ++r) {
        float* row = y + r * columns;
#pragma omp simd
        for (std::int64_t c = 0; c < columns; ++c) row[c] += bias[c];
    }
}

/// A kernel on other operands, with the same scratch memory.
void run(Kernel& kernel, const Arguments& from, std::initializer_list<const void*> inputs,
         std::initializer_list<void*> outputs)
{
    kernel.run({.inputs = {inputs.begin(), inputs.size()},
                .outputs = {outputs.begin(), outputs.size()},
                .scratch = from.scratch,
                .counter = from.counter});
}

class Forward final : public Kernel
{
public:
    Forward(const ConvTranspose2d& c, std::unique_ptr<Kernel> gradient, int threads)
        : m_gradient(std::move(gradient)), m_rows(outputRows(c)), m_columns(c.outputChannels), m_threads(threads)
    {
    }
    std::uint64_t scratchBytes() const override { return m_gradient->scratchBytes(); }
    void run(const Arguments& arguments) override
    {
        float* y = arguments.output(0);
        cpu::run(*m_gradient, arguments, {nullptr, arguments.input(1), arguments.input(0)}, {y, nullptr, nullptr});
        const float* bias = arguments.input(2);
        if (!bias) return;
        parallelFor(m_threads, m_rows, 0.1 * static_cast<double>(m_columns),
                    [&](std::int64_t begin, std::int64_t end) { addToRows(y, bias, m_columns, begin, end); });
    }

private:
    std::unique_ptr<Kernel> m_gradient;
    std::int64_t m_rows, m_columns;
    int m_threads;
};

class Backward final : public Kernel
{
public:
    Backward(const ConvTranspose2d& c, std::unique_ptr<Kernel> product, std::unique_ptr<Kernel> weights, int threads)
        : m_product(std::move(product)), m_weights(std::move(weights)), m_rows(outputRows(c)),
          m_columns(c.outputChannels), m_threads(threads)
    {
    }
    std::uint64_t scratchBytes() const override
    {
        return std::max(m_product ? m_product->scratchBytes() : 0, m_weights ? m_weights->scratchBytes() : 0);
    }
    void run(const Arguments& arguments) override
    {
        const float *x = arguments.input(0), *weight = arguments.input(1), *dy = arguments.input(2);
        if (float* dx = arguments.output(0)) cpu::run(*m_product, arguments, {dy, weight, nullptr}, {dx});
        if (float* dweight = arguments.output(1))
            cpu::run(*m_weights, arguments, {dy, weight, x}, {nullptr, dweight, nullptr});
        if (float* dbias = arguments.output(2)) sumColumns(dy, m_rows, m_columns, dbias, m_threads);
    }

private:
    std::unique_ptr<Kernel> m_product, m_weights;
    std::int64_t m_rows, m_columns;
    int m_threads;
};

} // namespace

KernelResult makeConvTranspose2d(const ConvTranspose2d& c, int threads)
{
    MR_CHECK(check(c));
    MR_TRY(auto gradient, makeConv2dBackward(c.convolution(), threads, Gradients::Data));
    return std::unique_ptr<Kernel>(std::make_unique<Forward>(c, std::move(gradient), threads));
}

KernelResult makeConvTranspose2dBackward(const ConvTranspose2d& c, int threads, Gradients wanted)
{
    MR_CHECK(check(c));
    std::unique_ptr<Kernel> product, weights;
    if (wanted != Gradients::Weights) {
        MR_TRY(product, makeConv2d(c.convolution(), threads));
    }
    if (wanted != Gradients::Data) {
        MR_TRY(weights, makeConv2dBackward(c.convolution(), threads, Gradients::Weights));
    }
    return std::unique_ptr<Kernel>(std::make_unique<Backward>(c, std::move(product), std::move(weights), threads));
}

} // namespace millrace::kernels::cpu
