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
    if (x.rank() < 2 || weight.elements() == 0 || x[x.rank() - 1] != weight[1]) {
        const bool flat = x.rank() == 2 || (x.rank() == 3 && x[1] * x[2] != weight[1]);
        return site.refuse(
            str("Layer ", site->layer, " takes ", weight[1], " features but gets ", site.sampleAndSource(0), "."),
            flat ? str("Give ", site->layer, " ", x[x.rank() - 1], " inputs.")
                 : std::string("Put a Flatten layer between them."));
    }
    if (site.hasInput(2)) MR_CHECK(checkVector(site, 2, "bias", weight[0]));
    return std::vector<OutputType>{{"out", x.with(x.rank() - 1, weight[0])}};
}

/// The last of a tensor's dimensions.
std::int64_t lastOf(const Shape& shape)
{
    return shape[shape.rank() - 1];
}

/// B·I·O multiply-adds: dense has x (…,I) and weight (O,I), dense_backward_data weight (O,I) and dy (…,O).
double denseFlops(const Site& site)
{
    return 2 * static_cast<double>(site.input(0).shape.elements()) * static_cast<double>(site.input(1).shape[0]);
}
/// The same from x (…,I) and dy (…,O).
double denseBackwardWeightsFlops(const Site& site)
{
    return 2 * static_cast<double>(site.input(0).shape.elements()) * static_cast<double>(lastOf(site.input(1).shape));
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
    const Shape& dy = site.input(1).shape;
    return std::vector<OutputType>{{"dx", dy.with(dy.rank() - 1, site.input(0).shape[1])}};
}

Result<std::vector<OutputType>> denseBackwardWeightsShape(const Site& site)
{
    const std::int64_t outputs = lastOf(site.input(1).shape);
    std::vector<OutputType> gradients{{"dweight", Shape{outputs, lastOf(site.input(0).shape)}}};
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
