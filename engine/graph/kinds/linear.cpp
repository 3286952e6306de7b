// The dense layer.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

Result<std::vector<OutputType>> denseShape(const Site& site)
{
    const Shape& x = site.input(0).shape;
    const Shape& weight = site.input(1).shape;
    if (weight.rank() != 2)
        return site.refuse(
            str("The weight of layer ", site->layer, " must have 2 dimensions but is ", weight.toString(), "."));
    if (x.rank() != 2)
        return site.refuse(
            str("Layer ", site->layer, " takes ", weight[1], " features but gets ", site.sampleAndSource(0), "."),
            "Put a Flatten layer between them.");
    if (x[1] != weight[1])
        return site.refuse(
            str("Layer ", site->layer, " takes ", weight[1], " features but gets ", site.sampleAndSource(0), "."),
            str("Give ", site->layer, " ", x[1], " inputs."));
    if (site.hasInput(2)) MR_CHECK(checkVector(site, 2, "bias", weight[0]));
    return std::vector<OutputType>{{"out", Shape{x[0], weight[0]}}};
}

/// B·I·O multiply-adds: dense has x (B,I) and weight (O,I), dense_backward_data weight (O,I) and dy (B,O).
double denseFlops(const Site& site)
{
    return 2 * static_cast<double>(site.input(0).shape.elements()) * static_cast<double>(site.input(1).shape[0]);
}
/// The same from x (B,I) and dy (B,O).
double denseBackwardWeightsFlops(const Site& site)
{
    return 2 * static_cast<double>(site.input(0).shape.elements()) * static_cast<double>(site.input(1).shape[1]);
}

Status denseGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    const bool bias = operation.inputs.size() > 2 && d.wants(2);
    if (d.wants(1) || bias) {
        MR_TRY(const auto gradients, d.add("dense_backward_weights", {operation.inputs[0], d.outputGradient()},
                                           {{"bias", std::int64_t{bias}}}));
        d.give(1, gradients[0]);
        if (bias) d.give(2, gradients[1]);
    }
    if (d.wants(0)) {
        MR_TRY(const auto gradients, d.add("dense_backward_data", {operation.inputs[1], d.outputGradient()}));
        d.give(0, gradients[0]);
    }
    return {};
}

Result<std::vector<OutputType>> denseBackwardDataShape(const Site& site)
{
    return std::vector<OutputType>{{"dx", Shape{site.input(1).shape[0], site.input(0).shape[1]}}};
}

Result<std::vector<OutputType>> denseBackwardWeightsShape(const Site& site)
{
    const std::int64_t outputs = site.input(1).shape[1];
    std::vector<OutputType> gradients{{"dweight", Shape{outputs, site.input(0).shape[1]}}};
    if (site->integer("bias") != 0) gradients.push_back({"dbias", Shape{outputs}});
    return gradients;
}

} // namespace

std::span<const OperationKind> linear()
{
    static const OperationKind kinds[] = {
        {.name = "dense",
         .inputs = {{"x"}, {"weight"}, {"bias", DType::F32, true}},
         .attributes = {},
         .shape = denseShape,
         .flops = denseFlops,
         .gradient = denseGradient},
        {.name = "dense_backward_data",
         .inputs = {{"weight"}, {"dy"}},
         .attributes = {},
         .shape = denseBackwardDataShape,
         .flops = denseFlops},
        {.name = "dense_backward_weights",
         .inputs = {{"x"}, {"dy"}},
         .attributes = {"bias"},
         .shape = denseBackwardWeightsShape,
         .flops = denseBackwardWeightsFlops},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
