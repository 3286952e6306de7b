// The rows of matrix products and convolutions.
#include "tests/kernels/families.h"

#include <memory>

namespace millrace::test {

namespace {

using namespace kernels;

double asDouble(std::int64_t value)
{
    return static_cast<double>(value);
}

Precision readPrecision(Case& line)
{
    return line.integer("bf16", 0) != 0 ? Precision::Bf16 : Precision::F32;
}

/// The reference does not round its factors.
double toleranceOf(Precision precision)
{
    return precision == Precision::Bf16 ? 1e-2 : 1e-5;
}

Problem dense(Case& line)
{
    const Dense d{line.integer("B"), line.integer("I"), line.integer("O"), readPrecision(line)};
    const double tolerance = toleranceOf(d.precision);
    const std::int64_t bias = line.integer("bias", 1) * d.outputs;
    const double flops = 2 * asDouble(d.batch * d.inputs * d.outputs);
    const Operand x{"x", d.batch * d.inputs}, weight{"weight", d.outputs * d.inputs}, y{"y", d.batch * d.outputs};
    return {{.inputs = {x, weight, {"bias", bias}},
             .outputs = {y},
             .makeKernel = [d](const Factory& f) { return f.makeDense(d); },
             .reference = [d](Inputs in, Outputs out) { reference::dense(d, in, out); },
             .flops = flops,
             .tolerance = tolerance},
            Function{.inputs = {x, weight, {"dy", y.elements}},
                     .outputs = {{"dx", x.elements}, f32("dweight", weight.elements), f32("dbias", d.outputs)},
                     .makeKernel = [d](const Factory& f) { return f.makeDenseBackward(d); },
                     .reference = [d](Inputs in, Outputs out) { reference::denseBackward(d, in, out); },
                     .flops = 2 * flops,
                     .outputsOptional = true,
                     .tolerance = tolerance}};
}

Conv2d readConv2d(Case& line)
{
    const std::int64_t K = line.integer("K"), stride = line.integer("stride", 1), pad = line.integer("pad", 0);
    const std::int64_t dilation = line.integer("dilation", 1);
    return {.batch = line.integer("B"),
            .height = line.integer("H"),
            .width = line.integer("W"),
            .channels = line.integer("C"),
            .outputChannels = line.integer("O"),
            .kernelHeight = K,
            .kernelWidth = line.integer("KW", K),
            .groups = line.integer("groups", 1),
            .strideHeight = stride,
            .strideWidth = line.integer("strideW", stride),
            .padHeight = pad,
            .padWidth = line.integer("padW", pad),
            .dilationHeight = dilation,
            .dilationWidth = line.integer("dilationW", dilation),
            .precision = readPrecision(line)};
}

Problem conv2d(Case& line)
{
    const Conv2d c = readConv2d(line);
    const double tolerance = toleranceOf(c.precision);
    const std::int64_t bias = line.integer("bias", 1) * c.outputChannels;
    const Operand x{"x", c.batch * c.height * c.width * c.channels};
    const Operand weight{"weight", c.outputChannels * c.kernelHeight * c.kernelWidth * c.channels / c.groups};
    const Operand y{"y", c.batch * c.outputHeight() * c.outputWidth() * c.outputChannels};
    const double flops = 2 * asDouble(y.elements) * asDouble(weight.elements / c.outputChannels);
    return {{.inputs = {x, weight, {"bias", bias}},
             .outputs = {y},
             .makeKernel = [c](const Factory& f) { return f.makeConv2d(c); },
             .reference = [c](Inputs in, Outputs out) { reference::conv2d(c, in, out); },
             .flops = flops,
             .tolerance = tolerance},
            Function{.inputs = {x, weight, {"dy", y.elements}},
                     .outputs = {{"dx", x.elements}, f32("dweight", weight.elements), f32("dbias", c.outputChannels)},
                     .makeKernel = [c](const Factory& f) { return f.makeConv2dBackward(c); },
                     .reference = [c](Inputs in, Outputs out) { reference::conv2dBackward(c, in, out); },
                     .flops = 2 * flops,
                     .outputsOptional = true,
                     .tolerance = tolerance}};
}

Problem convTranspose2d(Case& line)
{
    const Conv2d d = readConv2d(line); // the names of the case's line are those of conv2d
    ConvTranspose2d c{.batch = d.batch, .height = d.height, .width = d.width, .channels = d.channels};
    c.outputChannels = d.outputChannels, c.kernelHeight = d.kernelHeight, c.kernelWidth = d.kernelWidth;
    c.groups = d.groups, c.strideHeight = d.strideHeight, c.strideWidth = d.strideWidth;
    c.padHeight = d.padHeight, c.padWidth = d.padWidth;
    c.dilationHeight = d.dilationHeight, c.dilationWidth = d.dilationWidth;
    c.outputPadHeight = line.integer("outputPad", 0);
    c.outputPadWidth = line.integer("outputPadW", c.outputPadHeight);
    const std::int64_t bias = line.integer("bias", 1) * c.outputChannels;
    const Operand x{"x", c.batch * c.height * c.width * c.channels};
    const Operand weight{"weight", c.channels * c.kernelHeight * c.kernelWidth * c.outputChannels / c.groups};
    const Operand y{"y", c.batch * c.outputHeight() * c.outputWidth() * c.outputChannels};
    const double flops = 2 * asDouble(x.elements) * asDouble(weight.elements / c.channels);
    return {{.inputs = {x, weight, {"bias", bias}},
             .outputs = {y},
             .makeKernel = [c](const Factory& f) { return f.makeConvTranspose2d(c); },
             .reference = [c](Inputs in, Outputs out) { reference::convTranspose2d(c, in, out); },
             .flops = flops},
            Function{.inputs = {x, weight, {"dy", y.elements}},
                     .outputs = {{"dx", x.elements}, {"dweight", weight.elements}, {"dbias", c.outputChannels}},
                     .makeKernel = [c](const Factory& f) { return f.makeConvTranspose2dBackward(c); },
                     .reference = [c](Inputs in, Outputs out) { reference::convTranspose2dBackward(c, in, out); },
                     .flops = 2 * flops,
                     .outputsOptional = true}};
}

/// The gradients of a matrix product as the graph has them: two more products.
class MatmulBackward final : public Kernel
{
public:
    static KernelResult make(const Matmul& m, const Factory& f)
    {
        auto result = std::make_unique<MatmulBackward>();
        result->m_forward = m;
        Matmul a{m.batch, m.rows, m.depth, m.columns, false, !m.transposeB, m.precision};
        if (m.transposeA) a = {m.batch, m.depth, m.rows, m.columns, m.transposeB, true, m.precision};
        Matmul b{m.batch, m.depth, m.columns, m.rows, !m.transposeA, false, m.precision};
        if (m.transposeB) b = {m.batch, m.columns, m.depth, m.rows, true, m.transposeA, m.precision};
        MR_TRY(result->m_a, f.makeMatmul(a));
        MR_TRY(result->m_b, f.makeMatmul(b));
        return std::unique_ptr<Kernel>(std::move(result));
    }
    std::uint64_t scratchBytes() const override { return std::max(m_a->scratchBytes(), m_b->scratchBytes()); }
    void run(const Arguments& arguments) override
    {
        const void *a = arguments.inputs[0], *b = arguments.inputs[1], *dc = arguments.inputs[2];
        call(*m_a, arguments, 0, m_forward.transposeA ? b : dc, m_forward.transposeA ? dc : b);
        call(*m_b, arguments, 1, m_forward.transposeB ? dc : a, m_forward.transposeB ? a : dc);
    }

private:
    static void call(Kernel& kernel, const Arguments& from, std::size_t output, const void* a, const void* b)
    {
        if (!from.outputs[output]) return;
        // three, though a product takes two: the compiler thinks of this very class behind the call, and warns
        const void* inputs[] = {a, b, nullptr};
        kernel.run({.inputs = inputs, .outputs = from.outputs.subspan(output, 1), .scratch = from.scratch});
    }

    Matmul m_forward;
    std::unique_ptr<Kernel> m_a, m_b;
};

Problem matmul(Case& line)
{
    const Matmul m{line.integer("B", 1),       line.integer("M"),          line.integer("N"),  line.integer("K"),
                   line.integer("ta", 0) != 0, line.integer("tb", 0) != 0, readPrecision(line)};
    const double tolerance = toleranceOf(m.precision);
    const Operand a{"a", m.batch * m.rows * m.depth}, b{"b", m.batch * m.depth * m.columns};
    const Operand c{"c", m.batch * m.rows * m.columns};
    const double flops = 2 * asDouble(c.elements * m.depth);
    return {{.inputs = {a, b},
             .outputs = {c},
             .makeKernel = [m](const Factory& f) { return f.makeMatmul(m); },
             .reference = [m](Inputs in, Outputs out) { reference::matmul(m, in, out); },
             .flops = flops,
             .tolerance = tolerance},
            Function{.inputs = {a, b, {"dc", c.elements}},
                     .outputs = {{"da", a.elements}, {"db", b.elements}},
                     .makeKernel = [m](const Factory& f) { return MatmulBackward::make(m, f); },
                     .reference = [m](Inputs in, Outputs out) { reference::matmulBackward(m, in, out); },
                     .flops = 2 * flops,
                     .outputsOptional = true,
                     .tolerance = tolerance}};
}

Epilogue readEpilogue(Case& line)
{
    const std::string word = line.word("epilogue");
    return word == "relu" ? Epilogue::Relu : word == "gelu" ? Epilogue::GeluTanh : Epilogue::None;
}

/// With an epilogue; GELU keeps what it is taken of.
Problem denseEpilogue(Case& line)
{
    Dense d{line.integer("B"), line.integer("I"), line.integer("O")};
    d.epilogue = readEpilogue(line);
    const std::int64_t bias = line.integer("bias", 1) * d.outputs, elements = d.batch * d.outputs;
    Problem problem{{.inputs = {{"x", d.batch * d.inputs}, {"weight", d.outputs * d.inputs}, {"bias", bias}},
                     .outputs = {{"y", elements}},
                     .makeKernel = [d](const Factory& f) { return f.makeDense(d); },
                     .reference = [d](Inputs in, Outputs out) { reference::dense(d, in, out); },
                     .flops = 2 * asDouble(d.batch * d.inputs * d.outputs)}};
    if (d.epilogue == Epilogue::GeluTanh && line.integer("z", 0) != 0)
        problem.forward.outputs.push_back({"z", elements});
    return problem;
}

/// The gradient where x is what an epilogue gave: ReLU's follows from x itself, GELU's from another operand.
Problem denseEpilogueBackward(Case& line)
{
    Dense d{line.integer("B"), line.integer("I"), line.integer("O")};
    d.epilogue = readEpilogue(line);
    const Operand x{"x", d.batch * d.inputs}, v{d.epilogue == Epilogue::Relu ? "x" : "v", x.elements};
    return {{.inputs = {x, {"weight", d.outputs * d.inputs}, {"dy", d.batch * d.outputs}, v},
             .outputs = {{"dx", x.elements}, f32("dweight", d.outputs * d.inputs), f32("dbias", d.outputs)},
             .makeKernel = [d](const Factory& f) { return f.makeDenseBackward(d); },
             .reference = [d](Inputs in, Outputs out) { reference::denseBackward(d, in, out); },
             .flops = 4 * asDouble(d.batch * d.inputs * d.outputs),
             .outputsOptional = true}};
}

constexpr OperationRow kOperations[] = {
    {"dense", dense},
    {"conv2d", conv2d},
    {"conv_transpose2d", convTranspose2d, true},
    {"matmul", matmul},
    {"dense_epilogue", denseEpilogue},
    {"dense_epilogue_backward", denseEpilogueBackward},
};

} // namespace

std::span<const OperationRow> productOperations()
{
    return kOperations;
}

} // namespace millrace::test
