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

/// Refuses a first input without rows, and a scale (input `scale`) that is not as long as a row.
Status checkRows(const Site& site, std::string_view what, std::size_t scale = 1)
{
    const Shape& x = site.input(0).shape;
    if (x.rank() < 2)
        return site.refuse(str("Layer ", site->layer, " takes a batch of rows but gets ", x.toString(), "."));
    const std::int64_t columns = x[x.rank() - 1];
    if (site.input(scale).shape == Shape{columns}) return {};
    return site.refuse(str("Layer ", site->layer, " normalises ", site.input(scale).shape.toString(), " ", what,
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
    return std::vector<OutputType>{{"out", x}, {"mean", perRow(x), DType::F32}, {"rstd", perRow(x), DType::F32}};
}

/// The sum of a and b, and the layer normalisation of it.
Result<std::vector<OutputType>> addLayerNormShape(const Site& site)
{
    const Shape &a = site.input(0).shape, &b = site.input(1).shape;
    if (a != b)
        return site.refuse(str("Layer ", site->layer, " adds tensors of one shape but gets ", site.sampleAndSource(0),
                               " and ", site.sampleAndSource(1), "."));
    MR_CHECK(checkRows(site, "features", 2));
    MR_CHECK(checkEpsilon(site, 1e-5));
    if (site.hasInput(3)) MR_CHECK(checkVector(site, 3, "bias", a[a.rank() - 1]));
    return std::vector<OutputType>{
        {"sum", a}, {"out", a}, {"mean", perRow(a), DType::F32}, {"rstd", perRow(a), DType::F32}};
}

/// Refuses a tensor at that input that is not shaped as x, the first one.
Status checkLikeX(const Site& site, std::size_t index, std::string_view what)
{
    if (!site.hasInput(index) || site.input(index).shape == site.input(0).shape) return {};
    return site.refuse(str("The ", what, " of layer ", site->layer, " must be ", site.input(0).shape.toString(),
                           " but is ", site.input(index).shape.toString(), "."));
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
    MR_CHECK(checkLikeX(site, 5, "residual's gradient"));
    std::vector<OutputType> gradients{{"dx", site.input(0).shape}, {"dscale", scale, DType::F32}};
    if (site->integer("bias") != 0) gradients.push_back({"dbias", scale, DType::F32});
    return gradients;
}

Result<std::vector<OutputType>> rmsNormShape(const Site& site)
{
    MR_CHECK(checkRows(site, "features"));
    MR_CHECK(checkEpsilon(site, 1));
    const Shape& x = site.input(0).shape;
    return std::vector<OutputType>{{"out", x}, {"rstd", perRow(x), DType::F32}};
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
    return std::vector<OutputType>{{"dx", site.input(0).shape}, {"dscale", site.input(1).shape, DType::F32}};
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
    return std::vector<OutputType>{{"out", x}, {"mean", perGroup, DType::F32}, {"rstd", perGroup, DType::F32}};
}

/// What batch_norm and its gradient can compute along.
constexpr std::string_view kActivations[] = {"relu"};

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
    MR_CHECK(checkLikeX(site, 5, "addend"));
    MR_CHECK(checkActivation(site, kActivations));
    return std::vector<OutputType>{
        {"out", x}, {"mean", Shape{channels}, DType::F32}, {"rstd", Shape{channels}, DType::F32}};
}

/// Of batch and group normalisation.
Status channelNormGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    if (operation.inputs.size() > 5 || !operation.text("activation").empty()) return refuseFused(operation);
    MR_TRY(const auto gradients, d.add(operation.kind + "_backward",
                                       {operation.inputs[0], operation.inputs[1], operation.outputs[1],
                                        operation.outputs[2], d.outputGradient()},
                                       operation.attributes));
    for (std::size_t i = 0; i < 3; ++i) d.give(i, gradients[i]);
    return {};
}

Result<std::vector<OutputType>> channelNormBackwardShape(const Site& site)
{
    return std::vector<OutputType>{{"dx", site.input(0).shape},
                                   {"dscale", site.input(1).shape, DType::F32},
                                   {"dbias", site.input(1).shape, DType::F32}};
}

/// With an activation, y is its output, and the addend gets dy as far as that let it through.
Result<std::vector<OutputType>> batchNormBackwardShape(const Site& site)
{
    MR_CHECK(checkActivation(site, kActivations));
    MR_CHECK(checkLikeX(site, 5, "output"));
    if (site.hasInput(5) == site->text("activation").empty())
        return site.refuse(
            str("The gradient of layer ", site->layer, " takes an activation and its output, or neither."));
    MR_TRY(std::vector<OutputType> gradients, channelNormBackwardShape(site));
    if (site->integer("addend") != 0) gradients.push_back({"daddend", site.input(0).shape});
    return gradients;
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
         .inputs = {{"x"},
                    {"scale", DType::F32},
                    {"bias", DType::F32},
                    {"running_mean", DType::F32},
                    {"running_variance", DType::F32},
                    {"addend", kStored, true}},
         .attributes = {"momentum", "epsilon", "activation"},
         .shape = batchNormShape,
         .flops = perElement<8>,
         .gradient = channelNormGradient},
        {.name = "batch_norm_backward",
         .inputs =
             {{"x"}, {"scale", DType::F32}, {"mean", DType::F32}, {"rstd", DType::F32}, {"dy"}, {"y", kStored, true}},
         .attributes = {"momentum", "epsilon", "activation", "addend"},
         .shape = batchNormBackwardShape,
         .flops = perElement<12>,
         .overwrites = {4}},
        {.name = "group_norm",
         .inputs = {{"x"}, {"scale", DType::F32}, {"bias", DType::F32}},
         .attributes = {"groups", "epsilon"},
         .shape = groupNormShape,
         .flops = perElement<8>,
         .gradient = channelNormGradient,
         .overwrites = {0}},
        {.name = "group_norm_backward",
         .inputs = {{"x"}, {"scale", DType::F32}, {"mean", DType::F32}, {"rstd", DType::F32}, {"dy"}},
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
         .inputs = {{"x"}, {"scale", DType::F32}, {"bias", DType::F32, true}},
         .attributes = {"epsilon"},
         .shape = layerNormShape,
         .flops = perElement<8>,
         .gradient = layerNormGradient,
         .overwrites = {0}},
        {.name = "layer_norm_backward",
         .inputs = {{"x"},
                    {"scale", DType::F32},
                    {"mean", DType::F32},
                    {"rstd", DType::F32},
                    {"dy"},
                    {"residual's gradient", kStored, true}},
         .attributes = {"epsilon", "bias"},
         .shape = layerNormBackwardShape,
         .flops = perElement<13>,
         .overwrites = {4, 5}},
        {.name = "add_layer_norm",
         .inputs = {{"a"}, {"b"}, {"scale", DType::F32}, {"bias", DType::F32, true}},
         .attributes = {"epsilon"},
         .shape = addLayerNormShape,
         .flops = perElement<9>,
         .overwrites = {0, 1}},
        {.name = "rms_norm",
         .inputs = {{"x"}, {"scale", DType::F32}},
         .attributes = {"epsilon"},
         .shape = rmsNormShape,
         .flops = perElement<4>,
         .gradient = rmsNormGradient,
         .overwrites = {0}},
        {.name = "rms_norm_backward",
         .inputs = {{"x"}, {"scale", DType::F32}, {"rstd", DType::F32}, {"dy"}},
         .attributes = {"epsilon"},
         .shape = rmsNormBackwardShape,
         .flops = perElement<10>,
         .overwrites = {3}},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
