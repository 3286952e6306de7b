// Sum, mean and maximum over axes.
#include "engine/graph/kinds/kinds.h"

#include <algorithm>

namespace millrace::graph::kinds {

namespace {

Result<std::vector<OutputType>> reduceShape(const Site& site)
{
    const Shape& x = site.input(0).shape;
    const std::string operation = site->text("operation", "sum");
    if (operation != "sum" && operation != "mean" && operation != "max")
        return site.refuse(str("Layer ", site->layer, " reduces by \"", operation, "\"; known are sum, mean and max."))
            .atNode(site->layer, "operation");
    const auto rank = static_cast<std::int64_t>(x.rank());
    const std::vector<std::int64_t> axes = site->integers("axes");
    const bool outside = std::ranges::any_of(
        axes, [&](std::int64_t axis) { return axis < -rank || axis >= rank || axis == 0 || axis == -rank; });
    if (axes.empty() || outside)
        return site
            .refuse(str("Layer ", site->layer, " reduces ", site.sampleAndSource(0), "; its axes must be from 1 to ",
                        rank - 1, " (0, the batch, stays as it is)."))
            .atNode(site->layer, "axes");
    const std::vector<bool> reduced = reducedAxes(site.operation(), x.rank());
    std::vector<std::int64_t> kept;
    for (std::size_t axis = 0; axis < x.rank(); ++axis)
        if (!reduced[axis]) kept.push_back(x[axis]);
    MR_TRY(const Shape shape, Shape::create(kept));
    return std::vector<OutputType>{{"out", shape}};
}

Status reduceGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    const auto dimensions = d.graph().tensor(operation.inputs[0]).shape.dimensions();
    auto attributes = operation.attributes;
    attributes["shape"] = std::vector<std::int64_t>(dimensions.begin(), dimensions.end());
    std::vector<TensorId> inputs{d.outputGradient()};
    std::string kind = "reduce_backward";
    if (operation.text("operation") == "max") {
        kind = "reduce_max_backward";
        inputs.insert(inputs.begin(), {operation.inputs[0], operation.outputs[0]});
    }
    MR_TRY(const auto gradients, d.add(kind, std::move(inputs), std::move(attributes)));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> reduceBackwardShape(const Site& site)
{
    MR_TRY(const Shape shape, Shape::create(site->integers("shape")));
    return std::vector<OutputType>{{"dx", shape}};
}

double perInputElement(const Site& site)
{
    return static_cast<double>(site.input(0).shape.elements());
}

} // namespace

std::span<const OperationKind> reduction()
{
    static const OperationKind kinds[] = {
        {.name = "reduce",
         .inputs = {{"x"}},
         .attributes = {"operation", "axes"},
         .shape = reduceShape,
         .flops = perInputElement,
         .gradient = reduceGradient},
        {.name = "reduce_backward",
         .inputs = {{"dy"}},
         .attributes = {"operation", "axes", "shape"},
         .shape = reduceBackwardShape,
         .flops = perElement<1>},
        {.name = "reduce_max_backward",
         .inputs = {{"x"}, {"y"}, {"dy"}},
         .attributes = {"operation", "axes", "shape"},
         .shape = reduceBackwardShape,
         .flops = perElement<2>},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
