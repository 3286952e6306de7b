// Operations on each element by itself: non-linearities, dropout, sum, product.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

/// The gradient of a non-linearity whose derivative follows from its output, so that its input need not be kept.
Status gradientFromOutput(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients,
           d.add(operation.kind + "_backward", {operation.outputs[0], d.outputGradient()}, operation.attributes));
    d.give(0, gradients[0]);
    return {};
}

/// Of one whose derivative follows from its input.
Status gradientFromInput(Differentiation& d)
{
    const Operation operation = d.operation();
    MR_TRY(const auto gradients,
           d.add(operation.kind + "_backward", {operation.inputs[0], d.outputGradient()}, operation.attributes));
    d.give(0, gradients[0]);
    return {};
}

/// Of leaky_relu and elu, whose number below 0 would make the output's sign another than the input's.
Result<std::vector<OutputType>> belowZeroShape(const Site& site)
{
    const std::string attribute = site->kind == "elu" ? "alpha" : "slope";
    const double value = site->number(attribute);
    if (!(value >= 0))
        return site
            .refuse(str("Layer ", site->layer, " has ", attribute == "alpha" ? "an alpha" : "a slope", " of ", value,
                        "; it must be at least 0."))
            .atNode(site->layer, attribute);
    return likeInput<0>(site);
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

/// Of add and multiply.
Result<std::vector<OutputType>> pairShape(const Site& site)
{
    if (site.input(0).shape != site.input(1).shape)
        return site.refuse(str("Layer ", site->layer, site->kind == "add" ? " adds" : " multiplies",
                               " tensors of one shape but gets ", site.sampleAndSource(0), " and ",
                               site.sampleAndSource(1), "."),
                           "Give both branches the same height, width and channels.");
    return likeInput<0>(site);
}

Status addGradient(Differentiation& d)
{
    for (std::size_t i = 0; i < 2; ++i) d.give(i, d.outputGradient());
    return {};
}

Status multiplyGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    for (std::size_t i = 0; i < 2; ++i) {
        if (!d.wants(i)) continue;
        MR_TRY(const auto gradients, d.add("multiply", {d.outputGradient(), operation.inputs[1 - i]}));
        d.give(i, gradients[0]);
    }
    return {};
}

Result<std::vector<OutputType>> castShape(const Site& site)
{
    const std::string to = site->text("to");
    for (const DType type : {DType::F32, DType::BF16, DType::F16}) {
        if (to != name(type)) continue;
        if (type == site.input(0).type)
            return site.refuse(str("Layer ", site->layer, " converts ", to, " to itself.")).atNode(site->layer, "to");
        return std::vector<OutputType>{{"out", site.input(0).shape, type}};
    }
    return site.refuse(str("Layer ", site->layer, " converts to \"", to, "\"; known are f32, bf16 and f16."))
        .atNode(site->layer, "to");
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
         .gradient = gradientFromInput},
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
         .shape = pairShape,
         .flops = perElement<1>,
         .gradient = addGradient,
         .overwrites = {0, 1}},
        {.name = "multiply",
         .inputs = {{"a"}, {"b"}},
         .attributes = {},
         .shape = pairShape,
         .flops = perElement<1>,
         .gradient = multiplyGradient,
         .overwrites = {0, 1}},
        {.name = "leaky_relu",
         .inputs = {{"x"}},
         .attributes = {"slope"},
         .shape = belowZeroShape,
         .flops = perElement<2>,
         .gradient = gradientFromOutput,
         .overwrites = {0}},
        {.name = "leaky_relu_backward",
         .inputs = {{"y"}, {"dy"}},
         .attributes = {"slope"},
         .shape = gradientLikeInput<0>,
         .flops = perElement<2>,
         .overwrites = {1}},
        {.name = "silu",
         .inputs = {{"x"}},
         .attributes = {},
         .shape = likeInput<0>,
         .flops = perElement<11>,
         .gradient = gradientFromInput},
        {.name = "silu_backward",
         .inputs = {{"x"}, {"dy"}},
         .attributes = {},
         .shape = gradientLikeInput<0>,
         .flops = perElement<15>,
         .overwrites = {1}},
        {.name = "elu",
         .inputs = {{"x"}},
         .attributes = {"alpha"},
         .shape = belowZeroShape,
         .flops = perElement<10>,
         .gradient = gradientFromOutput,
         .overwrites = {0}},
        {.name = "elu_backward",
         .inputs = {{"y"}, {"dy"}},
         .attributes = {"alpha"},
         .shape = gradientLikeInput<0>,
         .flops = perElement<2>,
         .overwrites = {1}},
        {.name = "softplus",
         .inputs = {{"x"}},
         .attributes = {},
         .shape = likeInput<0>,
         .flops = perElement<20>,
         .gradient = gradientFromOutput,
         .overwrites = {0}},
        {.name = "softplus_backward",
         .inputs = {{"y"}, {"dy"}},
         .attributes = {},
         .shape = gradientLikeInput<0>,
         .flops = perElement<10>,
         .overwrites = {1}},
        {.name = "cast", .inputs = {{"x"}}, .attributes = {"to"}, .shape = castShape, .flops = perElement<1>},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
