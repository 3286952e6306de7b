// Two-dimensional convolution and its transpose.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

Status checkConvolution(const Site& site)
{
    MR_CHECK(checkImage(site));
    MR_CHECK(checkPositive(site, "stride"));
    MR_CHECK(checkPositive(site, "padding", 0));
    MR_CHECK(checkPositive(site, "dilation"));
    const Shape& x = site.input(0).shape;
    const Shape& weight = site.input(1).shape;
    const std::int64_t groups = site->integer("groups", 1);
    if (weight.rank() != 4 || weight.elements() == 0)
        return site.refuse(str("The weight of layer ", site->layer, " must have 4 dimensions, none of them 0, but is ",
                               weight.toString(), "."));
    if (groups < 1 || x[3] % groups != 0 || weight[0] % groups != 0)
        return site
            .refuse(str("Layer ", site->layer, " has ", groups, " groups, which do not divide its ", x[3],
                        " input and ", weight[0], " output channels."))
            .atNode(site->layer, "groups");
    if (weight[3] * groups != x[3])
        return site.refuse(str("Layer ", site->layer, " takes images of ", weight[3] * groups, " channels but gets ",
                               site.sampleAndSource(0), "."),
                           str("Give ", site->layer, " ", x[3], " input channels."));
    return {};
}

Result<std::vector<OutputType>> conv2dShape(const Site& site)
{
    MR_CHECK(checkConvolution(site));
    const Shape& x = site.input(0).shape;
    const Shape& weight = site.input(1).shape;
    const Window window = convolutionWindow(site.operation(), weight[1], weight[2]);
    MR_CHECK(checkWindow(site, window));
    if (site.hasInput(2)) MR_CHECK(checkVector(site, 2, "bias", weight[0]));
    MR_CHECK(checkPrecision(site));
    return std::vector<OutputType>{
        {"out", Shape{x[0], window.outputHeight(x[1]), window.outputWidth(x[2]), weight[0]}}};
}

/// Each of the B·OH·OW·O outputs multiplies the KH·KW·C/groups weights of its channel.
double flops(const Shape& y, const Shape& weight)
{
    return 2 * static_cast<double>(y.elements()) * static_cast<double>(weight.elements()) /
           static_cast<double>(weight[0]);
}
double conv2dFlops(const Site& site)
{
    return flops(site.output(0).shape, site.input(1).shape);
}
double conv2dBackwardDataFlops(const Site& site)
{
    return flops(site.input(1).shape, site.input(0).shape);
}
double conv2dBackwardWeightsFlops(const Site& site)
{
    return flops(site.input(1).shape, site.output(0).shape);
}

/// Of conv2d and conv_transpose2d, whose backward kinds are called after them.
Status convolutionGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    const Shape x = d.graph().tensor(operation.inputs[0]).shape;
    const Shape weight = d.graph().tensor(operation.inputs[1]).shape;
    const bool bias = operation.inputs.size() > 2 && d.wants(2);
    if (d.wants(1) || bias) {
        auto attributes = operation.attributes;
        attributes["size"] = std::vector{weight[1], weight[2]};
        attributes["bias"] = std::int64_t{bias};
        MR_TRY(const auto gradients, d.add(operation.kind + "_backward_weights",
                                           {operation.inputs[0], d.outputGradient()}, std::move(attributes)));
        d.give(1, gradients[0]);
        if (bias) d.give(2, gradients[1]);
    }
    if (d.wants(0)) {
        auto attributes = operation.attributes;
        attributes["height"] = x[1];
        attributes["width"] = x[2];
        MR_TRY(const auto gradients, d.add(operation.kind + "_backward_data", {operation.inputs[1], d.outputGradient()},
                                           std::move(attributes)));
        d.give(0, gradients[0]);
    }
    return {};
}

Result<std::vector<OutputType>> conv2dBackwardDataShape(const Site& site)
{
    const Shape& weight = site.input(0).shape;
    const std::int64_t channels = weight[3] * site->integer("groups", 1);
    return std::vector<OutputType>{
        {"dx", Shape{site.input(1).shape[0], site->integer("height"), site->integer("width"), channels}}};
}

Result<std::vector<OutputType>> conv2dBackwardWeightsShape(const Site& site)
{
    const std::vector<std::int64_t> size = site->integers("size");
    const std::int64_t outputs = site.input(1).shape[3];
    const std::int64_t inputs = site.input(0).shape[3] / site->integer("groups", 1);
    std::vector<OutputType> gradients{{"dweight", Shape{outputs, size.front(), size.back(), inputs}, DType::F32}};
    if (site->integer("bias") != 0) gradients.push_back({"dbias", Shape{outputs}, DType::F32});
    return gradients;
}

/// The output padding, vertical and horizontal.
std::pair<std::int64_t, std::int64_t> outputPadding(const Operation& operation)
{
    const std::vector<std::int64_t> values = operation.integers("output_padding");
    return values.empty() ? std::pair<std::int64_t, std::int64_t>{0, 0} : std::pair{values.front(), values.back()};
}

/// Rows or columns of a transposed convolution's output.
std::int64_t transposedSize(std::int64_t size, std::int64_t window, std::int64_t stride, std::int64_t padding,
                            std::int64_t dilation, std::int64_t outputPad)
{
    return (size - 1) * stride - 2 * padding + dilation * (window - 1) + outputPad + 1;
}

Result<std::vector<OutputType>> convTranspose2dShape(const Site& site)
{
    MR_CHECK(checkImage(site));
    MR_CHECK(checkPositive(site, "stride"));
    MR_CHECK(checkPositive(site, "padding", 0));
    MR_CHECK(checkPositive(site, "output_padding", 0));
    MR_CHECK(checkPositive(site, "dilation"));
    const Shape& x = site.input(0).shape;
    const Shape& weight = site.input(1).shape;
    const std::int64_t groups = site->integer("groups", 1);
    if (weight.rank() != 4 || weight.elements() == 0)
        return site.refuse(str("The weight of layer ", site->layer, " must have 4 dimensions, none of them 0, but is ",
                               weight.toString(), "."));
    if (weight[0] != x[3])
        return site.refuse(str("Layer ", site->layer, " takes images of ", weight[0], " channels but gets ",
                               site.sampleAndSource(0), "."),
                           str("Give ", site->layer, " ", x[3], " input channels."));
    if (groups < 1 || x[3] % groups != 0)
        return site
            .refuse(str("Layer ", site->layer, " has ", groups, " groups, which do not divide its ", x[3],
                        " input channels."))
            .atNode(site->layer, "groups");
    const Window window = convolutionWindow(site.operation(), weight[1], weight[2]);
    const auto [padHeight, padWidth] = outputPadding(site.operation());
    if (padHeight >= window.strideHeight || padWidth >= window.strideWidth)
        return site
            .refuse(str("Layer ", site->layer, " has an output padding of ", padHeight, "×", padWidth,
                        "; it must be below its stride of ", window.strideHeight, "×", window.strideWidth, "."))
            .atNode(site->layer, "output_padding");
    const std::int64_t height =
        transposedSize(x[1], weight[1], window.strideHeight, window.paddingHeight, window.dilationHeight, padHeight);
    const std::int64_t width =
        transposedSize(x[2], weight[2], window.strideWidth, window.paddingWidth, window.dilationWidth, padWidth);
    if (height < 1 || width < 1)
        return site
            .refuse(str("Layer ", site->layer, " takes a padding of ", window.paddingHeight, "×", window.paddingWidth,
                        " off each side of its output and leaves nothing."))
            .atNode(site->layer, "padding");
    if (site.hasInput(2)) MR_CHECK(checkVector(site, 2, "bias", weight[3] * groups));
    return std::vector<OutputType>{{"out", Shape{x[0], height, width, weight[3] * groups}}};
}

/// Each pixel of x multiplies the weights of its channels.
double convTranspose2dFlops(const Site& site)
{
    return flops(site.input(0).shape, site.input(1).shape);
}
double convTranspose2dBackwardDataFlops(const Site& site)
{
    return flops(site.output(0).shape, site.input(0).shape);
}
double convTranspose2dBackwardWeightsFlops(const Site& site)
{
    return flops(site.input(0).shape, site.output(0).shape);
}

Result<std::vector<OutputType>> convTranspose2dBackwardDataShape(const Site& site)
{
    return std::vector<OutputType>{
        {"dx", Shape{site.input(1).shape[0], site->integer("height"), site->integer("width"), site.input(0).shape[0]}}};
}

Result<std::vector<OutputType>> convTranspose2dBackwardWeightsShape(const Site& site)
{
    const std::vector<std::int64_t> size = site->integers("size");
    const std::int64_t outputs = site.input(1).shape[3];
    std::vector<OutputType> gradients{
        {"dweight", Shape{site.input(0).shape[3], size.front(), size.back(), outputs / site->integer("groups", 1)},
         DType::F32}};
    if (site->integer("bias") != 0) gradients.push_back({"dbias", Shape{outputs}, DType::F32});
    return gradients;
}

} // namespace

std::span<const OperationKind> convolution()
{
    static const OperationKind kinds[] = {
        {.name = "conv2d",
         .inputs = {{"x"}, {"weight"}, {"bias", kStored, true}},
         .attributes = {"stride", "padding", "dilation", "groups", "precision"},
         .shape = conv2dShape,
         .flops = conv2dFlops,
         .gradient = convolutionGradient},
        {.name = "conv2d_backward_data",
         .inputs = {{"weight"}, {"dy"}},
         .attributes = {"stride", "padding", "dilation", "groups", "height", "width", "precision"},
         .shape = conv2dBackwardDataShape,
         .flops = conv2dBackwardDataFlops},
        {.name = "conv2d_backward_weights",
         .inputs = {{"x"}, {"dy"}},
         .attributes = {"stride", "padding", "dilation", "groups", "size", "bias", "precision"},
         .shape = conv2dBackwardWeightsShape,
         .flops = conv2dBackwardWeightsFlops},
        {.name = "conv_transpose2d",
         .inputs = {{"x"}, {"weight"}, {"bias", kStored, true}},
         .attributes = {"stride", "padding", "output_padding", "dilation", "groups"},
         .shape = convTranspose2dShape,
         .flops = convTranspose2dFlops,
         .gradient = convolutionGradient,
         .f32Alone = true},
        {.name = "conv_transpose2d_backward_data",
         .inputs = {{"weight"}, {"dy"}},
         .attributes = {"stride", "padding", "output_padding", "dilation", "groups", "height", "width"},
         .shape = convTranspose2dBackwardDataShape,
         .flops = convTranspose2dBackwardDataFlops,
         .f32Alone = true},
        {.name = "conv_transpose2d_backward_weights",
         .inputs = {{"x"}, {"dy"}},
         .attributes = {"stride", "padding", "output_padding", "dilation", "groups", "size", "bias"},
         .shape = convTranspose2dBackwardWeightsShape,
         .flops = convTranspose2dBackwardWeightsFlops,
         .f32Alone = true},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
