// The driver's rows of the normalisations of rows and groups, and of the logarithm of the softmax.
#include "tests/kernels/families.h"

namespace millrace::test {

namespace {

using namespace kernels;

Problem layerNorm(Case& line)
{
    const LayerNorm n{line.integer("R"), line.integer("C"), line.number("epsilon", 1e-5)};
    const std::int64_t R = n.rows, C = n.columns, bias = line.integer("bias", 1) * C;
    const Operand x{"x", R * C}, scale = f32("scale", C, Operand::Content::Positive);
    return {{.inputs = {x, scale, f32("bias", bias)},
             .outputs = {{"y", x.elements}, f32("mean", R), f32("rstd", R)},
             .makeKernel = [n](const Factory& f) { return f.makeLayerNorm(n); },
             .reference = [n](Inputs in, Outputs out) { reference::layerNorm(n, in, out); },
             .flops = 8 * static_cast<double>(x.elements),
             .aliases = {{0, 0}}},
            Function{.inputs = {x, scale, f32("mean", R), f32("rstd", R), {"dy", x.elements}},
                     .outputs = {{"dx", x.elements}, f32("dscale", C), f32("dbias", C)},
                     .makeKernel = [n](const Factory& f) { return f.makeLayerNormBackward(n); },
                     .reference = [n](Inputs in, Outputs out) { reference::layerNormBackward(n, in, out); },
                     .flops = 13 * static_cast<double>(x.elements),
                     .aliases = {{0, 4}},
                     .outputsOptional = true}};
}

/// The gradient alone, with the one that comes past the normalisation.
Problem layerNormResidual(Case& line)
{
    const LayerNorm n{line.integer("R"), line.integer("C"), line.number("epsilon", 1e-5), true};
    const std::int64_t R = n.rows, C = n.columns;
    const Operand x{"x", R * C}, scale = f32("scale", C, Operand::Content::Positive);
    return {{.inputs = {x,
                        scale,
                        f32("mean", R),
                        f32("rstd", R, Operand::Content::Positive),
                        {"dy", R * C},
                        {"dresidual", R * C}},
             .outputs = {{"dx", R * C}, f32("dscale", C), f32("dbias", C)},
             .makeKernel = [n](const Factory& f) { return f.makeLayerNormBackward(n); },
             .reference = [n](Inputs in, Outputs out) { reference::layerNormBackward(n, in, out); },
             .flops = 14 * static_cast<double>(R * C),
             .aliases = {{0, 4}, {0, 5}},
             .outputsOptional = true}};
}

Problem addLayerNorm(Case& line)
{
    const AddLayerNorm n{line.integer("R"), line.integer("C"), line.number("epsilon", 1e-5)};
    const std::int64_t R = n.rows, C = n.columns, bias = line.integer("bias", 1) * C;
    return {{.inputs = {{"a", R * C}, {"b", R * C}, f32("scale", C, Operand::Content::Positive), f32("bias", bias)},
             .outputs = {{"s", R * C}, {"y", R * C}, f32("mean", R), f32("rstd", R)},
             .makeKernel = [n](const Factory& f) { return f.makeAddLayerNorm(n); },
             .reference = [n](Inputs in, Outputs out) { reference::addLayerNorm(n, in, out); },
             .flops = 9 * static_cast<double>(R * C),
             .aliases = {{0, 0}, {0, 1}}}};
}

Problem rmsNorm(Case& line)
{
    const RmsNorm n{line.integer("R"), line.integer("C"), line.number("epsilon", 1e-5)};
    const std::int64_t R = n.rows, C = n.columns;
    const Operand x{"x", R * C}, scale = f32("scale", C, Operand::Content::Positive);
    return {{.inputs = {x, scale},
             .outputs = {{"y", x.elements}, f32("rstd", R)},
             .makeKernel = [n](const Factory& f) { return f.makeRmsNorm(n); },
             .reference = [n](Inputs in, Outputs out) { reference::rmsNorm(n, in, out); },
             .flops = 4 * static_cast<double>(x.elements),
             .aliases = {{0, 0}}},
            Function{.inputs = {x, scale, f32("rstd", R), {"dy", x.elements}},
                     .outputs = {{"dx", x.elements}, f32("dscale", C)},
                     .makeKernel = [n](const Factory& f) { return f.makeRmsNormBackward(n); },
                     .reference = [n](Inputs in, Outputs out) { reference::rmsNormBackward(n, in, out); },
                     .flops = 10 * static_cast<double>(x.elements),
                     .aliases = {{0, 3}},
                     .outputsOptional = true}};
}

Problem groupNorm(Case& line)
{
    const GroupNorm n{line.integer("B"), line.integer("P"), line.integer("C"), line.integer("G"),
                      line.number("epsilon", 1e-5)};
    const std::int64_t C = n.channels, groups = n.batch * n.groups;
    const Operand x{"x", n.batch * n.positions * C}, scale = f32("scale", C, Operand::Content::Positive);
    return {{.inputs = {x, scale, f32("bias", C)},
             .outputs = {{"y", x.elements}, f32("mean", groups), f32("rstd", groups)},
             .makeKernel = [n](const Factory& f) { return f.makeGroupNorm(n); },
             .reference = [n](Inputs in, Outputs out) { reference::groupNorm(n, in, out); },
             .flops = 8 * static_cast<double>(x.elements),
             .aliases = {{0, 0}}},
            Function{.inputs = {x, scale, f32("mean", groups), f32("rstd", groups), {"dy", x.elements}},
                     .outputs = {{"dx", x.elements}, f32("dscale", C), f32("dbias", C)},
                     .makeKernel = [n](const Factory& f) { return f.makeGroupNormBackward(n); },
                     .reference = [n](Inputs in, Outputs out) { reference::groupNormBackward(n, in, out); },
                     .flops = 12 * static_cast<double>(x.elements),
                     .aliases = {{0, 4}},
                     .outputsOptional = true}};
}

Problem logSoftmax(Case& line)
{
    const LogSoftmax s{line.integer("R"), line.integer("C")};
    const std::int64_t elements = s.rows * s.columns;
    return {{.inputs = {{"x", elements}},
             .outputs = {{"y", elements}},
             .makeKernel = [s](const Factory& f) { return f.makeLogSoftmax(s); },
             .reference = [s](Inputs in, Outputs out) { reference::logSoftmax(s, in, out); },
             .flops = 5 * static_cast<double>(elements),
             .aliases = {{0, 0}}},
            Function{.inputs = {{"y", elements}, {"dy", elements}},
                     .outputs = {{"dx", elements}},
                     .makeKernel = [s](const Factory& f) { return f.makeLogSoftmaxBackward(s); },
                     .reference = [s](Inputs in, Outputs out) { reference::logSoftmaxBackward(s, in, out); },
                     .flops = 5 * static_cast<double>(elements),
                     .aliases = {{0, 1}}}};
}

constexpr OperationRow kOperations[] = {
    {"layer_norm", layerNorm},        {"layer_norm_residual", layerNormResidual},
    {"add_layer_norm", addLayerNorm}, {"rms_norm", rmsNorm},
    {"group_norm", groupNorm},        {"log_softmax", logSoftmax},
};

} // namespace

std::span<const OperationRow> normalizationOperations()
{
    return kOperations;
}

} // namespace millrace::test
