// Operations that move values along axes: join, cut, reorder, pick.
#include "engine/graph/kinds/kinds.h"

#include <algorithm>
#include <numeric>

namespace millrace::graph::kinds {

namespace {

using Sizes = std::vector<std::int64_t>;

Error refuseAxis(const Site& site, std::string message)
{
    return site.refuse(std::move(message)).atNode(site->layer, "axis");
}

/// Refuses an axis that the first input lacks, or the batch.
Status checkAxis(const Site& site)
{
    const auto rank = static_cast<std::int64_t>(site.input(0).shape.rank());
    const std::int64_t axis = site->integer("axis", -1);
    if (axis >= -rank && axis < rank && axisOf(site.operation(), site.input(0).shape) > 0) return {};
    return refuseAxis(site,
                      str("Layer ", site->layer, " works along axis ", axis, " but gets ", site.sampleAndSource(0),
                          ", whose axes are 1 to ", rank - 1, " (0, the batch, stays as it is)."));
}

Result<std::vector<OutputType>> concatenateShape(const Site& site)
{
    MR_CHECK(checkAxis(site));
    const Shape& first = site.input(0).shape;
    const std::size_t axis = axisOf(site.operation(), first);
    std::int64_t size = 0;
    for (std::size_t i = 0; i < site->inputs.size(); ++i) {
        const Shape& shape = site.input(i).shape;
        if (shape.rank() != first.rank() || shape.with(axis, 0) != first.with(axis, 0))
            return site.refuse(str("Layer ", site->layer, " joins tensors along axis ", axis, " but gets ",
                                   site.sampleAndSource(0), " and ", site.sampleAndSource(i), "."),
                               "Give the branches the same sizes on every other axis.");
        size += shape[axis];
    }
    return std::vector<OutputType>{{"out", first.with(axis, size)}};
}

Sizes sizesOnAxis(const Graph& graph, const Operation& operation, std::size_t axis)
{
    Sizes sizes;
    for (const TensorId id : operation.inputs) sizes.push_back(graph.tensor(id).shape[axis]);
    return sizes;
}

Status concatenateGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    const std::size_t axis = axisOf(operation, d.graph().tensor(operation.inputs[0]).shape);
    MR_TRY(const auto gradients,
           d.add("split", {d.outputGradient()},
                 {{"axis", static_cast<std::int64_t>(axis)}, {"sizes", sizesOnAxis(d.graph(), operation, axis)}}));
    for (std::size_t i = 0; i < gradients.size(); ++i) d.give(i, gradients[i]);
    return {};
}

Result<std::vector<OutputType>> splitShape(const Site& site)
{
    MR_CHECK(checkAxis(site));
    const Shape& x = site.input(0).shape;
    const std::size_t axis = axisOf(site.operation(), x);
    const Sizes sizes = site->integers("sizes");
    const auto refuse = [&](std::string message) {
        return site.refuse(std::move(message)).atNode(site->layer, "sizes");
    };
    std::int64_t sum = 0;
    std::vector<OutputType> outputs;
    for (const std::int64_t size : sizes) {
        if (size < 1 || size > x[axis])
            return refuse(
                str("Layer ", site->layer, " cuts off a size of ", size, "; it must be from 1 to ", x[axis], "."));
        sum += size;
        outputs.push_back({"out", x.with(axis, size)});
    }
    if (sum != x[axis])
        return refuse(str("Layer ", site->layer, " cuts axis ", axis, " of ", site.sampleAndSource(0),
                          " into sizes of ", sum, " in all; they must add up to ", x[axis], "."));
    return outputs;
}

/// The outputs' gradients joined again; zeros for an output that the loss does not depend on.
Status splitGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    std::vector<TensorId> gradients;
    Sizes present;
    for (std::size_t k = 0; k < operation.outputs.size(); ++k) {
        const auto gradient = d.gradientOf(k);
        present.push_back(gradient ? 1 : 0);
        if (gradient) gradients.push_back(*gradient);
    }
    auto attributes = operation.attributes;
    attributes["present"] = present;
    MR_TRY(const auto added, d.add("split_backward", gradients, std::move(attributes)));
    d.give(0, added[0]);
    return {};
}

Result<std::vector<OutputType>> splitBackwardShape(const Site& site)
{
    const Shape& dy = site.input(0).shape;
    const Sizes sizes = site->integers("sizes");
    return std::vector<OutputType>{
        {"dx", dy.with(axisOf(site.operation(), dy), std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}))}};
}

Result<std::vector<OutputType>> sliceShape(const Site& site)
{
    MR_CHECK(checkAxis(site));
    const Shape& x = site.input(0).shape;
    const std::size_t axis = axisOf(site.operation(), x);
    const std::int64_t start = site->integer("start"), size = site->integer("size", x[axis] - start);
    if (start < 0 || size < 1 || start > x[axis] - size)
        return site
            .refuse(str("Layer ", site->layer, " takes ", size, " from ", start, " on along axis ", axis, " of ",
                        site.sampleAndSource(0), ", which has ", x[axis], "."))
            .atNode(site->layer, size < 1 ? "size" : "start");
    return std::vector<OutputType>{{"out", x.with(axis, size)}};
}

Status sliceGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    const Shape x = d.graph().tensor(operation.inputs[0]).shape;
    const std::size_t axis = axisOf(operation, x);
    MR_TRY(
        const auto gradients,
        d.add("slice_backward", {d.outputGradient()},
              {{"axis", static_cast<std::int64_t>(axis)}, {"start", operation.integer("start")}, {"whole", x[axis]}}));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> sliceBackwardShape(const Site& site)
{
    const Shape& dy = site.input(0).shape;
    return std::vector<OutputType>{{"dx", dy.with(axisOf(site.operation(), dy), site->integer("whole"))}};
}

Result<std::vector<OutputType>> transposeShape(const Site& site)
{
    const Shape& x = site.input(0).shape;
    const Sizes order = site->integers("order");
    Sizes sorted = order;
    std::sort(sorted.begin(), sorted.end());
    Sizes axes(x.rank() > 0 ? x.rank() - 1 : 0);
    std::iota(axes.begin(), axes.end(), std::int64_t{1});
    if (sorted != axes || axes.empty())
        return site
            .refuse(str("Layer ", site->layer, " reorders the axes of ", site.sampleAndSource(0),
                        "; its order must hold each axis from 1 to ", axes.size(), " once."))
            .atNode(site->layer, "order");
    Sizes dimensions{x[0]};
    for (const std::int64_t axis : order) dimensions.push_back(x[static_cast<std::size_t>(axis)]);
    MR_TRY(const Shape shape, Shape::create(dimensions));
    return std::vector<OutputType>{{"out", shape}};
}

Status transposeGradient(Differentiation& d)
{
    const Sizes order = d.operation().integers("order");
    Sizes inverse(order.size());
    for (std::size_t i = 0; i < order.size(); ++i)
        inverse[static_cast<std::size_t>(order[i] - 1)] = static_cast<std::int64_t>(i) + 1;
    MR_TRY(const auto gradients, d.add("transpose", {d.outputGradient()}, {{"order", inverse}}));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> gatherShape(const Site& site)
{
    MR_CHECK(checkAxis(site));
    const Shape &x = site.input(0).shape, &index = site.input(1).shape;
    const std::size_t axis = axisOf(site.operation(), x);
    if (index.rank() != x.rank() || index.with(axis, 0) != x.with(axis, 0))
        return site.refuse(str("Layer ", site->layer, " picks along axis ", axis, " of ", site.sampleAndSource(0),
                               " by indices of ", site.sample(1),
                               "; they must have the same sizes on every other axis."));
    return std::vector<OutputType>{{"out", index}};
}

Status gatherGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    const Shape x = d.graph().tensor(operation.inputs[0]).shape;
    const std::size_t axis = axisOf(operation, x);
    MR_TRY(const auto gradients, d.add("gather_backward", {operation.inputs[1], d.outputGradient()},
                                       {{"axis", static_cast<std::int64_t>(axis)}, {"whole", x[axis]}}));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> gatherBackwardShape(const Site& site)
{
    const Shape& dy = site.input(1).shape;
    return std::vector<OutputType>{{"dx", dy.with(axisOf(site.operation(), dy), site->integer("whole"))}};
}

} // namespace

std::span<const OperationKind> arrangement()
{
    static const OperationKind kinds[] = {
        {.name = "concatenate",
         .inputs = {{"a"}, {"b", kStored, true}},
         .attributes = {"axis"},
         .shape = concatenateShape,
         .flops = noFlops,
         .gradient = concatenateGradient,
         .repeats = true},
        {.name = "split",
         .inputs = {{"x"}},
         .attributes = {"axis", "sizes"},
         .shape = splitShape,
         .flops = noFlops,
         .gradient = splitGradient,
         .everyOutput = true},
        {.name = "split_backward",
         .inputs = {{"dy"}},
         .attributes = {"axis", "sizes", "present"},
         .shape = splitBackwardShape,
         .flops = noFlops,
         .repeats = true},
        {.name = "slice",
         .inputs = {{"x"}},
         .attributes = {"axis", "start", "size"},
         .shape = sliceShape,
         .flops = noFlops,
         .gradient = sliceGradient},
        {.name = "slice_backward",
         .inputs = {{"dy"}},
         .attributes = {"axis", "start", "whole"},
         .shape = sliceBackwardShape,
         .flops = noFlops},
        {.name = "transpose",
         .inputs = {{"x"}},
         .attributes = {"order"},
         .shape = transposeShape,
         .flops = noFlops,
         .gradient = transposeGradient},
        {.name = "gather",
         .inputs = {{"x"}, {"index", DType::I32}},
         .attributes = {"axis"},
         .shape = gatherShape,
         .flops = noFlops,
         .gradient = gatherGradient,
         .f32Alone = true},
        {.name = "gather_backward",
         .inputs = {{"index", DType::I32}, {"dy"}},
         .attributes = {"axis", "whole"},
         .shape = gatherBackwardShape,
         .flops = noFlops,
         .f32Alone = true},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
