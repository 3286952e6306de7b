// The same values in another shape: flatten and reshape.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

Result<std::vector<OutputType>> flattenShape(const Site& site)
{
    const Shape& x = site.input(0).shape;
    if (x.rank() < 1 || x[0] == 0)
        return site.refuse(str("Layer ", site->layer, " takes a batch but gets ", x.toString(), "."));
    return std::vector<OutputType>{{"out", Shape{x[0], x.elements() / x[0]}}};
}

Result<std::vector<OutputType>> reshapeShape(const Site& site)
{
    const Shape& x = site.input(0).shape;
    if (x.rank() < 1 || x[0] == 0)
        return site.refuse(str("Layer ", site->layer, " takes a batch but gets ", x.toString(), "."));
    const auto refuse = [&](std::string message) {
        return site.refuse(std::move(message)).atNode(site->layer, "shape");
    };
    const std::int64_t values = x.elements() / x[0];
    std::vector<std::int64_t> dimensions = site->integers("shape");
    std::int64_t* open = nullptr;
    for (std::int64_t& size : dimensions) {
        if (size == -1 && open) return refuse(str("Layer ", site->layer, " leaves more than one size open (-1)."));
        if (size == -1) open = &size;
        if (size < -1 || size == 0)
            return refuse(str("Layer ", site->layer, " asks for a size of ", size, "; it must be at least 1, or -1."));
    }
    if (open) *open = 1;
    MR_TRY(const Shape closed, Shape::create(dimensions));
    if (open && values % closed.elements() == 0) *open = values / closed.elements();
    dimensions.insert(dimensions.begin(), x[0]);
    MR_TRY(const Shape result, Shape::create(dimensions));
    if (result.elements() != x.elements())
        return refuse(str("Layer ", site->layer, " cannot reshape ", site.sampleAndSource(0), " (", values,
                          " values) to ", closed.toString(),
                          open ? " and one open size." : str(" (", closed.elements(), " values).")));
    return std::vector<OutputType>{{"out", result}};
}

/// A reshape back to the sample shape of the input.
Status reshapeGradient(Differentiation& d)
{
    const auto dimensions = d.graph().tensor(d.operation().inputs[0]).shape.dimensions();
    MR_TRY(const auto gradients,
           d.add("reshape", {d.outputGradient()},
                 {{"shape", std::vector<std::int64_t>(dimensions.begin() + 1, dimensions.end())}}));
    d.give(0, gradients[0]);
    return {};
}

} // namespace

std::span<const OperationKind> reshaping()
{
    static const OperationKind kinds[] = {
        {.name = "flatten",
         .inputs = {{"x"}},
         .attributes = {},
         .shape = flattenShape,
         .flops = noFlops,
         .gradient = reshapeGradient,
         .view = View::Always},
        {.name = "reshape",
         .inputs = {{"x"}},
         .attributes = {"shape"},
         .shape = reshapeShape,
         .flops = noFlops,
         .gradient = reshapeGradient,
         .view = View::Always},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
