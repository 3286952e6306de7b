// Max and average pooling over windows of an image, or to a given size.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

Result<std::vector<OutputType>> poolShape(const Site& site)
{
    MR_CHECK(checkImage(site));
    MR_CHECK(checkPositive(site, "size"));
    MR_CHECK(checkPositive(site, "stride"));
    MR_CHECK(checkPositive(site, "padding", 0));
    if (site->integers("size").empty())
        return site.refuse(str("Layer ", site->layer, " has no size of its window.")).atNode(site->layer, "size");
    const Window window = poolingWindow(site.operation());
    if (2 * window.paddingHeight > window.height || 2 * window.paddingWidth > window.width)
        return site
            .refuse(str("Layer ", site->layer, " pads by ", window.paddingHeight, "×", window.paddingWidth,
                        ", more than half of its ", window.height, "×", window.width, " window."))
            .atNode(site->layer, "padding");
    MR_CHECK(checkWindow(site, window));
    const Shape& x = site.input(0).shape;
    return std::vector<OutputType>{{"out", Shape{x[0], window.outputHeight(x[1]), window.outputWidth(x[2]), x[3]}}};
}

double perWindow(const Site& site, const Shape& y)
{
    const Window window = poolingWindow(site.operation());
    return static_cast<double>(y.elements()) * static_cast<double>(window.height * window.width);
}
double poolFlops(const Site& site)
{
    return perWindow(site, site.output(0).shape);
}
double maxPoolBackwardFlops(const Site& site)
{
    return perWindow(site, site.input(1).shape);
}
double averagePoolBackwardFlops(const Site& site)
{
    return perWindow(site, site.input(0).shape);
}

Status maxPoolGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients,
           d.add("max_pool2d_backward", {operation.inputs[0], d.outputGradient()}, operation.attributes));
    d.give(0, gradients[0]);
    return {};
}

/// Of both average pooling kinds, whose backward kinds know x by its height and width.
Status averagePoolGradient(Differentiation& d)
{
    const std::string kind = d.operation().kind + "_backward";
    auto attributes = d.operation().attributes;
    const Shape& x = d.graph().tensor(d.operation().inputs[0]).shape;
    attributes["height"] = x[1];
    attributes["width"] = x[2];
    MR_TRY(const auto gradients, d.add(kind, {d.outputGradient()}, std::move(attributes)));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> averagePoolBackwardShape(const Site& site)
{
    const Shape& y = site.input(0).shape;
    return std::vector<OutputType>{{"dx", Shape{y[0], site->integer("height"), site->integer("width"), y[3]}}};
}

Result<std::vector<OutputType>> adaptivePoolShape(const Site& site)
{
    MR_CHECK(checkImage(site));
    MR_CHECK(checkPositive(site, "size"));
    const auto [rows, columns] = adaptivePoolSize(site.operation());
    const Shape& x = site.input(0).shape;
    return std::vector<OutputType>{{"out", Shape{x[0], rows, columns, x[3]}}};
}

double perImageElement(const Site& site)
{
    return static_cast<double>(site.input(0).shape.elements());
}

Status adaptiveMaxPoolGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients,
           d.add("adaptive_max_pool2d_backward", {operation.inputs[0], d.outputGradient()}, operation.attributes));
    d.give(0, gradients[0]);
    return {};
}

} // namespace

std::span<const OperationKind> pooling()
{
    static const OperationKind kinds[] = {
        {.name = "max_pool2d",
         .inputs = {{"x"}},
         .attributes = {"size", "stride", "padding"},
         .shape = poolShape,
         .flops = poolFlops,
         .gradient = maxPoolGradient},
        {.name = "max_pool2d_backward",
         .inputs = {{"x"}, {"dy"}},
         .attributes = {"size", "stride", "padding"},
         .shape = gradientLikeInput<0>,
         .flops = maxPoolBackwardFlops},
        {.name = "average_pool2d",
         .inputs = {{"x"}},
         .attributes = {"size", "stride", "padding"},
         .shape = poolShape,
         .flops = poolFlops,
         .gradient = averagePoolGradient},
        {.name = "average_pool2d_backward",
         .inputs = {{"dy"}},
         .attributes = {"size", "stride", "padding", "height", "width"},
         .shape = averagePoolBackwardShape,
         .flops = averagePoolBackwardFlops},
        {.name = "adaptive_max_pool2d",
         .inputs = {{"x"}},
         .attributes = {"size"},
         .shape = adaptivePoolShape,
         .flops = perImageElement,
         .gradient = adaptiveMaxPoolGradient,
         .f32Alone = true},
        {.name = "adaptive_max_pool2d_backward",
         .inputs = {{"x"}, {"dy"}},
         .attributes = {"size"},
         .shape = gradientLikeInput<0>,
         .flops = perImageElement,
         .f32Alone = true},
        {.name = "adaptive_average_pool2d",
         .inputs = {{"x"}},
         .attributes = {"size"},
         .shape = adaptivePoolShape,
         .flops = perImageElement,
         .gradient = averagePoolGradient,
         .f32Alone = true},
        {.name = "adaptive_average_pool2d_backward",
         .inputs = {{"dy"}},
         .attributes = {"size", "height", "width"},
         .shape = averagePoolBackwardShape,
         .flops = perElement<1>,
         .f32Alone = true},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
