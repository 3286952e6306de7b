// Operations on each element by itself: non-linearities, dropout, sum.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

/// The gradient of a non-linearity whose derivative follows from its output, so that its input need not be kept.
Status gradientFromOutput(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients, d.add(operation.kind + "_backward", {operation.outputs[0], d.outputGradient()}));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> geluShape(const Site& site)
{
    const std::string approximate = site->text("approximate", "none");
    if (approximate != "none" && approximate != "tanh")
        return site
            .refuse(str("Layer ", site->layer, " approximates GELU by \"", approximate, "\"; known are none and tanh."))
            .atNode(site->layer, "approximate");
    return likeInput<0>(site);
}

Status geluGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients,
           d.add("gelu_backward", {operation.inputs[0], d.outputGradient()}, operation.attributes));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> dropoutShape(const Site& site)
{
    const double probability = site->number("probability", 0.5);
    if (!(probability >= 0 && probability < 1))
        return site
            .refuse(str("Layer ", site->layer, " drops with a probability of ", probability,
                        "; it must be at least 0 and below 1."))
            .atNode(site->layer, "probability");
    return likeInput<0>(site);
}

Status dropoutGradient(Differentiation& d)
{
    auto attributes = d.operation().attributes;
    MR_TRY(const auto gradients, d.add("dropout", {d.outputGradient()}, std::move(attributes)));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> addShape(const Site& site)
{
    if (site.input(0).shape != site.input(1).shape)
        return site.refuse(str("Layer ", site->layer, " adds tensors of one shape but gets ", site.sampleAndSource(0),
                               " and ", site.sampleAndSource(1), "."),
                           "Give both branches the same height, width and channels.");
    return likeInput<0>(site);
}

Status addGradient(Differentiation& d)
{
    for (std::size_t i = 0; i < 2; ++i) d.give(i, d.outputGradient());
    return {};
}

} // namespace

std::span<const OperationKind> elementwise()
{
    static const OperationKind kinds[] = {
        {.name = "relu",
         .inputs = {{"x"}},
         .attributes = {},
         .shape = likeInput<0>,
         .flops = perElement<1>,
         .gradient = gradientFromOutput,
         .overwrites = {0}},
        {.name = "relu_backward",
         .inputs = {{"y"}, {"dy"}},
         .attributes = {},
         .shape = gradientLikeInput<0>,
         .flops = perElement<1>,
         .overwrites = {1}},
        {.name = "tanh",
         .inputs = {{"x"}},
         .attributes = {},
         .shape = likeInput<0>,
         .flops = perElement<10>,
         .gradient = gradientFromOutput,
         .overwrites = {0}},
        {.name = "tanh_backward",
         .inputs = {{"y"}, {"dy"}},
         .attributes = {},
         .shape = gradientLikeInput<0>,
         .flops = perElement<3>,
         .overwrites = {1}},
        {.name = "sigmoid",
         .inputs = {{"x"}},
         .attributes = {},
         .shape = likeInput<0>,
         .flops = perElement<10>,
         .gradient = gradientFromOutput,
         .overwrites = {0}},
        {.name = "sigmoid_backward",
         .inputs = {{"y"}, {"dy"}},
         .attributes = {},
         .shape = gradientLikeInput<0>,
         .flops = perElement<3>,
         .overwrites = {1}},
        {.name = "gelu",
         .inputs = {{"x"}},
         .attributes = {"approximate"},
         .shape = geluShape,
         .flops = perElement<14>,
         .gradient = geluGradient},
        {.name = "gelu_backward",
         .inputs = {{"x"}, {"dy"}},
         .attributes = {"approximate"},
         .shape = gradientLikeInput<0>,
         .flops = perElement<20>,
         .overwrites = {1}},
        {.name = "dropout",
         .inputs = {{"x"}},
         .attributes = {"probability", "stream"},
         .shape = dropoutShape,
         .flops = perElement<2>,
         .gradient = dropoutGradient,
         .overwrites = {0},
         .view = View::InInference},
        {.name = "add",
         .inputs = {{"a"}, {"b"}},
         .attributes = {},
         .shape = addShape,
         .flops = perElement<1>,
         .gradient = addGradient,
         .overwrites = {0, 1}},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
