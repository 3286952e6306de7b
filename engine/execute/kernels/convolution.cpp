// Convolutions.
#include "engine/execute/kernels/families.h"

namespace millrace::execute::families {

namespace {

kernels::Conv2d convolutionOf(const Site& site, const Shape& x, const Shape& weight)
{
    const graph::Window window = graph::convolutionWindow(site.operation(), weight[1], weight[2]);
    kernels::Conv2d conv;
    conv.batch = x[0], conv.height = x[1], conv.width = x[2], conv.channels = x[3];
    conv.outputChannels = weight[0], conv.kernelHeight = weight[1], conv.kernelWidth = weight[2];
    conv.groups = site->integer("groups", 1);
    conv.strideHeight = window.strideHeight, conv.strideWidth = window.strideWidth;
    conv.padHeight = window.paddingHeight, conv.padWidth = window.paddingWidth;
    conv.dilationHeight = window.dilationHeight, conv.dilationWidth = window.dilationWidth;
    conv.precision = precisionOf(site);
    return conv;
}

kernels::ConvTranspose2d convTransposeOf(const Site& site, const Shape& x, const Shape& weight)
{
    const graph::Window window = graph::convolutionWindow(site.operation(), weight[1], weight[2]);
    const std::vector<std::int64_t> outputPadding = site->integers("output_padding");
    kernels::ConvTranspose2d conv;
    conv.batch = x[0], conv.height = x[1], conv.width = x[2], conv.channels = x[3];
    conv.groups = site->integer("groups", 1);
    conv.outputChannels = weight[3] * conv.groups, conv.kernelHeight = weight[1], conv.kernelWidth = weight[2];
    conv.strideHeight = window.strideHeight, conv.strideWidth = window.strideWidth;
    conv.padHeight = window.paddingHeight, conv.padWidth = window.paddingWidth;
    conv.dilationHeight = window.dilationHeight, conv.dilationWidth = window.dilationWidth;
    if (!outputPadding.empty())
        conv.outputPadHeight = outputPadding.front(), conv.outputPadWidth = outputPadding.back();
    return conv;
}

} // namespace

std::span<const Row> convolution()
{
    static const std::vector<Row> rows = {
        {"conv2d",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeConv2d(convolutionOf(s, s.input(0).shape, s.input(1).shape));
         },
         {in(0), in(1), in(2)},
         {out(0)}},
        {"conv2d_backward_data",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeConv2dBackward(convolutionOf(s, s.output(0).shape, s.input(0).shape),
                                         kernels::Gradients::Data);
         },
         {none, in(0), in(1)},
         {out(0), none, none}},
        {"conv2d_backward_weights",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeConv2dBackward(convolutionOf(s, s.input(0).shape, s.output(0).shape),
                                         kernels::Gradients::Weights);
         },
         {in(0), none, in(1)},
         {none, out(0), out(1)}},
        {"conv_transpose2d",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeConvTranspose2d(convTransposeOf(s, s.input(0).shape, s.input(1).shape));
         },
         {in(0), in(1), in(2)},
         {out(0)}},
        {"conv_transpose2d_backward_data",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeConvTranspose2dBackward(convTransposeOf(s, s.output(0).shape, s.input(0).shape),
                                                  kernels::Gradients::Data);
         },
         {none, in(0), in(1)},
         {out(0), none, none}},
        {"conv_transpose2d_backward_weights",
         [](const Site& s, Mode, const Factory& f) {
             return f.makeConvTranspose2dBackward(convTransposeOf(s, s.input(0).shape, s.output(0).shape),
                                                  kernels::Gradients::Weights);
         },
         {in(0), none, in(1)},
         {none, out(0), out(1)}},
    };
    return rows;
}

} // namespace millrace::execute::families
