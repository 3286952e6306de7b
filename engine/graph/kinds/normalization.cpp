// Normalisations and softmax: what rescales rows or channels by their own statistics.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

Status checkEpsilon(const Site& site, double otherwise)
{
    const double epsilon = site->number("epsilon", otherwise);
    if (epsilon > 0) return {};
    return site.refuse(str("Layer ", site->layer, " has an epsilon of ", epsilon, "; it must be above 0."))
        .atNode(site->layer, "epsilon");
}

/// Refuses a first input without rows, and a scale that is not as long as a row.
Status checkRows(const Site& site, std::string_view what)
{
    const Shape& x = site.input(0).shape;
    if (x.rank() < 2)
        return site.refuse(str("Layer ", site->layer, " takes a batch of rows but gets ", x.toString(), "."));
    const std::int64_t columns = x[x.rank() - 1];
    if (site.input(1).shape == Shape{columns}) return {};
    return site.refuse(str("Layer ", site->layer, " normalises ", site.input(1).shape.toString(), " ", what,
                           " but gets ", site.sampleAndSource(0), "."),
                       str("Give ", site->layer, " ", columns, " ", what, "."));
}

/// The shape of what there is one of per row: all axes but the last.
Shape perRow(const Shape& x)
{
    return Shape::create(x.dimensions().first(x.rank() - 1)).value_or(Shape{});
}

Result<std::vector<OutputType>> layerNormShape(const Site& site)
{
    MR_CHECK(checkRows(site, "features"));
    MR_CHECK(checkEpsilon(site, 1e-5));
    const Shape& x = site.input(0).shape;
    if (site.hasInput(2)) MR_CHECK(checkVector(site, 2, "bias", x[x.rank() - 1]));
    return std::vector<OutputType>{{"out", x}, {"mean", perRow(x)}, {"rstd", perRow(x)}};
}

Status layerNormGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    auto attributes = operation.attributes;
    const bool bias = operation.inputs.size() > 2;
    attributes["bias"] = std::int64_t{bias};
    MR_TRY(const auto gradients, d.add("layer_norm_backward",
                                       {operation.inputs[0], operation.inputs[1], operation.outputs[1],
                                        operation.outputs[2], d.outputGradient()},
                                       std::move(attributes)));
    for (std::size_t i = 0; i < operation.inputs.size(); ++i) d.give(i, gradients[i]);
    return {};
}

Result<std::vector<OutputType>> layerNormBackwardShape(const Site& site)
{
    const Shape& scale = site.input(1).shape;
    std::vector<OutputType> gradients{{"dx", site.input(0).shape}, {"dscale", scale}};
    if (site->integer("bias") != 0) gradients.push_back({"dbias", scale});
    return gradients;
}

Result<std::vector<OutputType>> rmsNormShape(const Site& site)
{
    MR_CHECK(checkRows(site, "features"));
    MR_CHECK(checkEpsilon(site, 1));
    const Shape& x = site.input(0).shape;
    return std::vector<OutputType>{{"out", x}, {"rstd", perRow(x)}};
}

Status rmsNormGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients,
           d.add("rms_norm_backward",
                 {operation.inputs[0], operation.inputs[1], operation.outputs[1], d.outputGradient()},
                 operation.attributes));
    for (std::size_t i = 0; i < 2; ++i) d.give(i, gradients[i]);
    return {};
}

Result<std::vector<OutputType>> rmsNormBackwardShape(const Site& site)
{
    return std::vector<OutputType>{{"dx", site.input(0).shape}, {"dscale", site.input(1).shape}};
}

Result<std::vector<OutputType>> groupNormShape(const Site& site)
{
    MR_CHECK(checkRows(site, "channels"));
    MR_CHECK(checkEpsilon(site, 1e-5));
    const Shape& x = site.input(0).shape;
    const std::int64_t channels = x[x.rank() - 1], groups = site->integer("groups", 1);
    MR_CHECK(checkVector(site, 2, "bias", channels));
    if (groups < 1 || channels % groups != 0)
        return site
            .refuse(str("Layer ", site->layer, " has ", groups, " groups, which do not divide its ", channels,
                        " channels."))
            .atNode(site->layer, "groups");
    const Shape perGroup{x[0], groups};
    return std::vector<OutputType>{{"out", x}, {"mean", perGroup}, {"rstd", perGroup}};
}

Result<std::vector<OutputType>> batchNormShape(const Site& site)
{
    const Shape& x = site.input(0).shape;
    if (x.rank() < 2)
        return site.refuse(str("Layer ", site->layer, " takes a batch of channels but gets ", x.toString(), "."));
    const double momentum = site->number("momentum", 0.1);
    if (!(momentum >= 0 && momentum <= 1))
        return site.refuse(str("Layer ", site->layer, " has a momentum of ", momentum, "; it must be from 0 to 1."))
            .atNode(site->layer, "momentum");
    MR_CHECK(checkEpsilon(site, 1e-5));
    const std::int64_t channels = x[x.rank() - 1];
    if (site.input(1).shape != Shape{channels})
        return site.refuse(str("Layer ", site->layer, " normalises ", site.input(1).shape.toString(),
                               " channels but gets ", site.sampleAndSource(0), "."),
                           str("Give ", site->layer, " ", channels, " channels."));
    constexpr std::string_view names[] = {"", "scale", "bias", "running mean", "running variance"};
    for (std::size_t i = 2; i < 5; ++i) MR_CHECK(checkVector(site, i, names[i], channels));
    return std::vector<OutputType>{{"out", x}, {"mean", Shape{channels}}, {"rstd", Shape{channels}}};
}

/// Of batch and group normalisation.
Status channelNormGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients, d.add(operation.kind + "_backward",
                                       {operation.inputs[0], operation.inputs[1], operation.outputs[1],
                                        operation.outputs[2], d.outputGradient()},
                                       operation.attributes));
    for (std::size_t i = 0; i < 3; ++i) d.give(i, gradients[i]);
    return {};
}

Result<std::vector<OutputType>> channelNormBackwardShape(const Site& site)
{
    return std::vector<OutputType>{
        {"dx", site.input(0).shape}, {"dscale", site.input(1).shape}, {"dbias", site.input(1).shape}};
}

Result<std::vector<OutputType>> softmaxShape(const Site& site)
{
    if (site.input(0).shape.rank() < 2)
        return site.refuse(
            str("Layer ", site->layer, " takes a batch of rows but gets ", site.input(0).shape.toString(), "."));
    return std::vector<OutputType>{{"out", site.input(0).shape}};
}

/// Of softmax and of its logarithm.
Status softmaxGradient(Differentiation& d)
{
    const std::string kind = d.operation().kind + "_backward";
    MR_TRY(const auto gradients, d.add(kind, {d.operation().outputs[0], d.outputGradient()}));
    d.give(0, gradients[0]);
    return {};
}

} // namespace

std::span<const OperationKind> normalization()
{
    static const OperationKind kinds[] = {
        {.name = "batch_norm",
         .inputs = {{"x"}, {"scale"}, {"bias"}, {"running_mean"}, {"running_variance"}},
         .attributes = {"momentum", "epsilon"},
         .shape = batchNormShape,
         .flops = perElement<8>,
         .gradient = channelNormGradient},
        {.name = "batch_norm_backward",
         .inputs = {{"x"}, {"scale"}, {"mean"}, {"rstd"}, {"dy"}},
         .attributes = {"momentum", "epsilon"},
         .shape = channelNormBackwardShape,
         .flops = perElement<12>,
         .overwrites = {4}},
        {.name = "group_norm",
         .inputs = {{"x"}, {"scale"}, {"bias"}},
         .attributes = {"groups", "epsilon"},
         .shape = groupNormShape,
         .flops = perElement<8>,
         .gradient = channelNormGradient,
         .overwrites = {0}},
        {.name = "group_norm_backward",
         .inputs = {{"x"}, {"scale"}, {"mean"}, {"rstd"}, {"dy"}},
         .attributes = {"groups", "epsilon"},
         .shape = channelNormBackwardShape,
         .flops = perElement<12>,
         .overwrites = {4}},
        {.name = "softmax",
         .inputs = {{"x"}},
         .attributes = {},
         .shape = softmaxShape,
         .flops = perElement<5>,
         .gradient = softmaxGradient,
         .overwrites = {0}},
        {.name = "softmax_backward",
         .inputs = {{"y"}, {"dy"}},
         .attributes = {},
         .shape = gradientLikeInput<0>,
         .flops = perElement<4>,
         .overwrites = {1}},
        {.name = "log_softmax",
         .inputs = {{"x"}},
         .attributes = {},
         .shape = softmaxShape,
         .flops = perElement<5>,
         .gradient = softmaxGradient,
         .overwrites = {0}},
        {.name = "log_softmax_backward",
         .inputs = {{"y"}, {"dy"}},
         .attributes = {},
         .shape = gradientLikeInput<0>,
         .flops = perElement<5>,
         .overwrites = {1}},
        {.name = "layer_norm",
         .inputs = {{"x"}, {"scale"}, {"bias", DType::F32, true}},
         .attributes = {"epsilon"},
         .shape = layerNormShape,
         .flops = perElement<8>,
         .gradient = layerNormGradient,
         .overwrites = {0}},
        {.name = "layer_norm_backward",
         .inputs = {{"x"}, {"scale"}, {"mean"}, {"rstd"}, {"dy"}},
         .attributes = {"epsilon", "bias"},
         .shape = layerNormBackwardShape,
         .flops = perElement<13>,
         .overwrites = {4}},
        {.name = "rms_norm",
         .inputs = {{"x"}, {"scale"}},
         .attributes = {"epsilon"},
         .shape = rmsNormShape,
         .flops = perElement<4>,
         .gradient = rmsNormGradient,
         .overwrites = {0}},
        {.name = "rms_norm_backward",
         .inputs = {{"x"}, {"scale"}, {"rstd"}, {"dy"}},
         .attributes = {"epsilon"},
         .shape = rmsNormBackwardShape,
         .flops = perElement<10>,
         .overwrites = {3}},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
