// The table of operations: how each reads its case line, and which kernel and reference belong to it.
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "kernels/cpu/make_kernel.h"
#include "tests/kernels/families.h"

#include <algorithm>

namespace millrace::test {

namespace {

using namespace kernels;

double asDouble(std::int64_t value)
{
    return static_cast<double>(value);
}

Pool2d readPool(Case& line)
{
    const std::int64_t K = line.integer("K"), stride = line.integer("stride", K), pad = line.integer("pad", 0);
    return {.batch = line.integer("B"),
            .height = line.integer("H"),
            .width = line.integer("W"),
            .channels = line.integer("C"),
            .kernelHeight = K,
            .kernelWidth = line.integer("KW", K),
            .strideHeight = stride,
            .strideWidth = line.integer("strideW", stride),
            .padHeight = pad,
            .padWidth = line.integer("padW", pad),
            .countPadding = line.integer("countPadding", 1) != 0};
}

Problem maxPool2d(Case& line)
{
    const Pool2d p = readPool(line);
    const Operand x{"x", p.batch * p.height * p.width * p.channels};
    const Operand y{"y", p.batch * p.outputHeight() * p.outputWidth() * p.channels};
    const double flops = asDouble(y.elements * p.kernelHeight * p.kernelWidth);
    return {{.inputs = {x},
             .outputs = {y},
             .makeKernel = [p](const Factory& f) { return f.makeMaxPool2d(p); },
             .reference = [p](Inputs in, Outputs out) { reference::maxPool2d(p, in, out); },
             .flops = flops},
            Function{.inputs = {x, {"dy", y.elements}},
                     .outputs = {{"dx", x.elements}},
                     .makeKernel = [p](const Factory& f) { return f.makeMaxPool2dBackward(p); },
                     .reference = [p](Inputs in, Outputs out) { reference::maxPool2dBackward(p, in, out); },
                     .flops = flops}};
}

Problem averagePool2d(Case& line)
{
    const Pool2d p = readPool(line);
    const Operand x{"x", p.batch * p.height * p.width * p.channels};
    const Operand y{"y", p.batch * p.outputHeight() * p.outputWidth() * p.channels};
    const double flops = asDouble(y.elements * p.kernelHeight * p.kernelWidth);
    return {{.inputs = {x},
             .outputs = {y},
             .makeKernel = [p](const Factory& f) { return f.makeAveragePool2d(p); },
             .reference = [p](Inputs in, Outputs out) { reference::averagePool2d(p, in, out); },
             .flops = flops},
            Function{.inputs = {{"dy", y.elements}},
                     .outputs = {{"dx", x.elements}},
                     .makeKernel = [p](const Factory& f) { return f.makeAveragePool2dBackward(p); },
                     .reference = [p](Inputs in, Outputs out) { reference::averagePool2dBackward(p, in, out); },
                     .flops = flops}};
}

Problem batchNorm(Case& line)
{
    const BatchNorm n{.rows = line.integer("R"),
                      .channels = line.integer("C"),
                      .momentum = line.number("momentum", 0.1),
                      .training = line.integer("training", 1) != 0,
                      .addend = line.integer("addend", 0) != 0,
                      .relu = line.integer("relu", 0) != 0};
    const std::int64_t C = n.channels;
    const Operand x{"x", n.rows * C}, weight = f32("weight", C, Operand::Content::Positive), bias = f32("bias", C);
    const Operand mean = f32("runningMean", C), variance = f32("runningVariance", C, Operand::Content::Positive);
    Problem problem{{.inputs = {x, weight, bias, mean, variance},
                     .outputs = {{"y", x.elements}},
                     .makeKernel = [n](const Factory& f) { return f.makeBatchNorm(n); },
                     .reference = [n](Inputs in, Outputs out) { reference::batchNorm(n, in, out); },
                     .flops = asDouble(2 * x.elements)}};
    if (n.addend) problem.forward.inputs.push_back({"addend", x.elements});
    if (!n.training) {
        problem.forward.aliases = {{0, 0}};
        if (n.addend) problem.forward.aliases.push_back({0, 5});
        return problem;
    }
    for (const char* name : {"mean", "rstd", "newMean", "newVariance"}) problem.forward.outputs.push_back(f32(name, C));
    problem.forward.aliases = {{3, 3}, {4, 4}};
    problem.forward.flops = asDouble(5 * x.elements);
    problem.backward = Function{.inputs = {x, weight, f32("mean", C), f32("rstd", C), {"dy", x.elements}},
                                .outputs = {{"dx", x.elements}, f32("dweight", C), f32("dbias", C)},
                                .makeKernel = [n](const Factory& f) { return f.makeBatchNormBackward(n); },
                                .reference = [n](Inputs in, Outputs out) { reference::batchNormBackward(n, in, out); },
                                .flops = asDouble(9 * x.elements),
                                .aliases = {{0, 4}},
                                .outputsOptional = true};
    if (n.relu) problem.backward->inputs.push_back({"y", x.elements});
    if (n.addend) problem.backward->outputs.push_back({"daddend", x.elements});
    return problem;
}

template <Nonlinearity kind> Problem activation(Case& line)
{
    const Activation a{kind, line.integer("N"), line.number("p", 0)};
    const bool fromOutput = gradientFromOutput(kind);
    Problem problem{{.inputs = {{"x", a.elements}},
                     .outputs = {{"y", a.elements}},
                     .makeKernel = [a](const Factory& f) { return f.makeActivation(a); },
                     .reference = [a](Inputs in, Outputs out) { reference::activation(a, in, out); },
                     .flops = asDouble(a.elements)},
                    Function{.inputs = {{fromOutput ? "y" : "x", a.elements}, {"dy", a.elements}},
                             .outputs = {{"dx", a.elements}},
                             .makeKernel = [a](const Factory& f) { return f.makeActivationBackward(a); },
                             .reference = [a](Inputs in, Outputs out) { reference::activationBackward(a, in, out); },
                             .flops = asDouble(a.elements),
                             .aliases = {{0, 1}}}};
    if (fromOutput) problem.forward.aliases = {{0, 0}};
    return problem;
}

Problem dropout(Case& line)
{
    const Dropout d{line.integer("N"), line.number("p", 0.5), streamOf("dropout/test")};
    Function forward{.inputs = {{"x", d.elements}},
                     .outputs = {{"y", d.elements}},
                     .makeKernel = [d](const Factory& f) { return f.makeDropout(d); },
                     .reference = [d](Inputs in, Outputs out) { reference::dropout(d, kSeed, kStep, in, out); },
                     .flops = asDouble(d.elements),
                     .aliases = {{0, 0}}};
    Function backward = forward;
    backward.inputs = {{"dy", d.elements}};
    backward.outputs = {{"dx", d.elements}};
    return {std::move(forward), std::move(backward)};
}

Problem add(Case& line)
{
    const Add a{line.integer("N")};
    return {{.inputs = {{"a", a.elements}, {"b", a.elements}},
             .outputs = {{"y", a.elements}},
             .makeKernel = [a](const Factory& f) { return f.makeAdd(a); },
             .reference = [a](Inputs in, Outputs out) { reference::add(a, in, out); },
             .flops = asDouble(a.elements),
             .aliases = {{0, 0}, {0, 1}}}};
}

Problem softmax(Case& line)
{
    const Softmax s{line.integer("R"), line.integer("C")};
    const std::int64_t elements = s.rows * s.columns;
    return {{.inputs = {{"x", elements}},
             .outputs = {{"y", elements}},
             .makeKernel = [s](const Factory& f) { return f.makeSoftmax(s); },
             .reference = [s](Inputs in, Outputs out) { reference::softmax(s, in, out); },
             .flops = asDouble(5 * elements),
             .aliases = {{0, 0}}},
            Function{.inputs = {{"y", elements}, {"dy", elements}},
                     .outputs = {{"dx", elements}},
                     .makeKernel = [s](const Factory& f) { return f.makeSoftmaxBackward(s); },
                     .reference = [s](Inputs in, Outputs out) { reference::softmaxBackward(s, in, out); },
                     .flops = asDouble(4 * elements),
                     .aliases = {{0, 1}}}};
}

Problem crossEntropy(Case& line)
{
    const CrossEntropy e{line.integer("B"), line.integer("C"), line.number("smoothing", 0),
                         line.integer("ignore", -100)};
    const std::int64_t elements = e.rows * e.classes, weights = line.integer("weights", 0) * e.classes;
    return {{.inputs = {{"x", elements},
                        {"label", e.rows, Operand::Content::Label, e.classes},
                        f32("weights", weights, Operand::Content::Positive)},
             .outputs = {f32("loss", 1), f32("correct", 1), {"dx", elements}},
             .makeKernel = [e](const Factory& f) { return f.makeCrossEntropy(e); },
             .reference = [e](Inputs in, Outputs out) { reference::crossEntropy(e, in, out); },
             .flops = asDouble(6 * elements),
             .aliases = {{2, 0}},
             .outputsOptional = true}};
}

Problem meanSquaredError(Case& line)
{
    const MeanSquaredError m{line.integer("N")};
    return {{.inputs = {{"x", m.elements}, {"target", m.elements}},
             .outputs = {{"loss", 1}, {"dx", m.elements}},
             .makeKernel = [m](const Factory& f) { return f.makeMeanSquaredError(m); },
             .reference = [m](Inputs in, Outputs out) { reference::meanSquaredError(m, in, out); },
             .flops = asDouble(4 * m.elements),
             .aliases = {{1, 0}},
             .outputsOptional = true}};
}

DType readType(Case& line, const std::string& key)
{
    const std::string word = line.word(key);
    return word == "bf16" ? DType::BF16 : word == "f16" ? DType::F16 : DType::F32;
}

/// From one type to another, whatever the factory's is.
Problem cast(Case& line)
{
    const Cast c{line.integer("N"), readType(line, "from"), readType(line, "to")};
    return {{.inputs = {{"x", c.elements, Operand::Content::Normal, 0, c.from}},
             .outputs = {{"y", c.elements, Operand::Content::Normal, 0, c.to}},
             .makeKernel = [c](const Factory& f) { return f.makeCast(c); },
             .reference = [c](Inputs in, Outputs out) { reference::cast(c, in, out); },
             .flops = asDouble(c.elements)}};
}

constexpr OperationRow kOperations[] = {
    {"max_pool2d", maxPool2d},
    {"average_pool2d", averagePool2d},
    {"batch_norm", batchNorm},
    {"relu", activation<Nonlinearity::Relu>},
    {"gelu_exact", activation<Nonlinearity::GeluExact>},
    {"gelu_tanh", activation<Nonlinearity::GeluTanh>},
    {"tanh", activation<Nonlinearity::Tanh>},
    {"sigmoid", activation<Nonlinearity::Sigmoid>},
    {"leaky_relu", activation<Nonlinearity::LeakyRelu>},
    {"silu", activation<Nonlinearity::Silu>},
    {"elu", activation<Nonlinearity::Elu>},
    {"softplus", activation<Nonlinearity::Softplus>},
    {"dropout", dropout},
    {"add", add},
    {"softmax", softmax},
    {"cross_entropy", crossEntropy},
    {"mse", meanSquaredError, true},
    {"cast", cast},
};

const OperationRow* findOperation(std::string_view name)
{
    for (const std::span<const OperationRow> family :
         {std::span<const OperationRow>(kOperations), lossOperations(), normalizationOperations(),
          arrangementOperations(), productOperations(), sequenceOperations(), recurrentOperations(),
          optimizerOperations()})
        for (const OperationRow& row : family)
            if (row.name == name) return &row;
    return nullptr;
}

} // namespace

Result<Problem> buildProblem(Case line)
{
    const OperationRow* row = findOperation(line.operation());
    if (!row) return makeError(Code::NotFound, str("There is no operation \"", line.operation(), "\"."));
    Problem problem = row->build(line);
    problem.f32Only = row->f32Only;
    if (const std::string text = line.problem(); !text.empty()) return makeError(Code::InvalidFormat, text);
    return problem;
}

} // namespace millrace::test
