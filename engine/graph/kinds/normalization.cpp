// Batch normalisation and softmax: what rescales rows or channels by their own statistics.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

Result<std::vector<OutputType>> batchNormShape(const Site& site)
{
    const Shape& x = site.input(0).shape;
    if (x.rank() < 2)
        return site.refuse(str("Layer ", site->layer, " takes a batch of channels but gets ", x.toString(), "."));
    const double momentum = site->number("momentum", 0.1);
    const double epsilon = site->number("epsilon", 1e-5);
    if (!(momentum >= 0 && momentum <= 1))
        return site.refuse(str("Layer ", site->layer, " has a momentum of ", momentum, "; it must be from 0 to 1."))
            .atNode(site->layer, "momentum");
    if (!(epsilon > 0))
        return site.refuse(str("Layer ", site->layer, " has an epsilon of ", epsilon, "; it must be above 0."))
            .atNode(site->layer, "epsilon");
    const std::int64_t channels = x[x.rank() - 1];
    if (site.input(1).shape != Shape{channels})
        return site.refuse(str("Layer ", site->layer, " normalises ", site.input(1).shape.toString(),
                               " channels but gets ", site.sampleAndSource(0), "."),
                           str("Give ", site->layer, " ", channels, " channels."));
    constexpr std::string_view names[] = {"", "scale", "bias", "running mean", "running variance"};
    for (std::size_t i = 2; i < 5; ++i) MR_CHECK(checkVector(site, i, names[i], channels));
    return std::vector<OutputType>{{"out", x}, {"mean", Shape{channels}}, {"rstd", Shape{channels}}};
}

Status batchNormGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients, d.add("batch_norm_backward",
                                       {operation.inputs[0], operation.inputs[1], operation.outputs[1],
                                        operation.outputs[2], d.outputGradient()},
                                       operation.attributes));
    for (std::size_t i = 0; i < 3; ++i) d.give(i, gradients[i]);
    return {};
}

Result<std::vector<OutputType>> batchNormBackwardShape(const Site& site)
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

Status softmaxGradient(Differentiation& d)
{
    MR_TRY(const auto gradients, d.add("softmax_backward", {d.operation().outputs[0], d.outputGradient()}));
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
         .gradient = batchNormGradient},
        {.name = "batch_norm_backward",
         .inputs = {{"x"}, {"scale"}, {"mean"}, {"rstd"}, {"dy"}},
         .attributes = {"momentum", "epsilon"},
         .shape = batchNormBackwardShape,
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
    };
    return kinds;
}

} // namespace millrace::graph::kinds
