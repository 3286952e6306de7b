// Sequences: embedding, positions and attention.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

Result<std::vector<OutputType>> embeddingShape(const Site& site)
{
    const Shape& table = site.input(0).shape;
    const Shape& tokens = site.input(1).shape;
    if (table.rank() != 2 || table.elements() == 0)
        return site.refuse(
            str("The table of layer ", site->layer, " must be vocabulary×width but is ", table.toString(), "."));
    if (tokens.rank() < 1)
        return site.refuse(str("Layer ", site->layer, " takes a batch of tokens but gets one number."));
    std::vector<std::int64_t> dimensions(tokens.dimensions().begin(), tokens.dimensions().end());
    dimensions.push_back(table[1]);
    auto shape = Shape::create(dimensions);
    if (!shape) return std::move(shape).error().atNode(site->layer);
    return std::vector<OutputType>{{"out", *shape}};
}

Status embeddingGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    if (!d.wants(0)) return {};
    const std::int64_t rows = d.graph().tensor(operation.inputs[0]).shape[0];
    MR_TRY(const auto gradients,
           d.add("embedding_backward", {operation.inputs[1], d.outputGradient()}, {{"rows", rows}}));
    d.give(0, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> embeddingBackwardShape(const Site& site)
{
    const Shape& dy = site.input(1).shape;
    return std::vector<OutputType>{{"dtable", Shape{site->integer("rows"), dy[dy.rank() - 1]}, DType::F32}};
}

double embeddingBackwardFlops(const Site& site)
{
    return static_cast<double>(site.input(1).shape.elements());
}

Status checkSequence(const Site& site)
{
    const Shape& x = site.input(0).shape;
    if (x.rank() == 3 && x.elements() > 0) return {};
    return site.refuse(
        str("Layer ", site->layer, " takes sequences (steps×width) but gets ", site.sampleAndSource(0), "."),
        "Put an Embedding layer before it, or Reshape to steps×width.");
}

Status checkOffset(const Site& site, std::size_t index)
{
    if (site.input(index).shape == Shape{1}) return {};
    return site.refuse(str("The offset of layer ", site->layer, " must be one number but is ",
                           site.input(index).shape.toString(), "."));
}

Result<std::vector<OutputType>> positionShape(const Site& site)
{
    MR_CHECK(checkSequence(site));
    const Shape& x = site.input(0).shape;
    const Shape& table = site.input(1).shape;
    if (table.rank() != 2 || table[1] != x[2])
        return site.refuse(str("Layer ", site->layer, " adds positions of ", table.toString(),
                               " (places×width) but gets ", site.sampleAndSource(0), "."),
                           str("Give ", site->layer, " a width of ", x[2], "."));
    if (x[1] > table[0])
        return site.refuse(str("Layer ", site->layer, " has ", table[0], " places but gets ", x[1], " steps from ",
                               site.sampleAndSource(0), "."),
                           str("Give ", site->layer, " at least ", x[1], " places."));
    if (site.hasInput(2)) MR_CHECK(checkOffset(site, 2));
    return std::vector<OutputType>{{"out", x}};
}

Status positionGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    d.give(0, d.outputGradient());
    if (!d.wants(1)) return {};
    std::vector<TensorId> inputs{d.outputGradient()};
    if (operation.inputs.size() > 2) inputs.push_back(operation.inputs[2]);
    const std::int64_t places = d.graph().tensor(operation.inputs[1]).shape[0];
    MR_TRY(const auto gradients, d.add("position_backward", std::move(inputs), {{"places", places}}));
    d.give(1, gradients[0]);
    return {};
}

Result<std::vector<OutputType>> positionBackwardShape(const Site& site)
{
    return std::vector<OutputType>{{"dtable", Shape{site->integer("places"), site.input(0).shape[2]}, DType::F32}};
}

Status checkCaches(const Site& site, std::int64_t width)
{
    const Shape& x = site.input(0).shape;
    if (!site.hasInput(3))
        return site.refuse(str("Layer ", site->layer, " needs a cache of keys, one of values and an offset, or none."));
    for (const std::size_t cache : {1u, 2u}) {
        const Shape& shape = site.input(cache).shape;
        if (shape.rank() == 3 && shape == Shape{x[0], shape[1], width} && shape[1] >= x[1] &&
            shape == site.input(1).shape)
            continue;
        return site.refuse(str("The caches of layer ", site->layer, " must be ", x[0], "×places×", width,
                               " with at least ", x[1], " places but one is ", shape.toString(), "."));
    }
    return checkOffset(site, 3);
}

Result<std::vector<OutputType>> attentionShape(const Site& site)
{
    MR_CHECK(checkSequence(site));
    const Shape& x = site.input(0).shape;
    const std::int64_t heads = site->integer("heads", 1), width = x[2] / 3;
    if (x[2] % 3 != 0)
        return site.refuse(str("Layer ", site->layer, " takes queries, keys and values side by side but gets ",
                               site.sampleAndSource(0), ", whose width no 3 divides."),
                           "Put a Dense layer of three times the width before it.");
    if (heads < 1 || width % heads != 0)
        return site
            .refuse(str("Layer ", site->layer, " has ", heads, " heads, which do not divide its width of ", width, "."))
            .atNode(site->layer, "heads");
    const Shape y{x[0], x[1], width};
    if (!site.hasInput(1))
        return std::vector<OutputType>{{"out", y}, {"logsumexp", Shape{x[0], heads, x[1]}, DType::F32}};
    MR_CHECK(checkCaches(site, width));
    return std::vector<OutputType>{{"out", y}};
}

/// Two products of queries by keys by width; half of each where no query sees what comes after it.
double attentionFlops(const Site& site)
{
    const std::int64_t keys = site.input(site.hasInput(1) ? 1 : 0).shape[1];
    const double all = 4 * static_cast<double>(site.output(0).shape.elements()) * static_cast<double>(keys);
    return site->integer("causal") != 0 && !site.hasInput(1) ? all / 2 : all;
}
double attentionBackwardFlops(const Site& site)
{
    const Shape& y = site.input(1).shape;
    const double all = 10 * static_cast<double>(y.elements()) * static_cast<double>(y[1]);
    return site->integer("causal") != 0 ? all / 2 : all;
}

Status attentionGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    if (operation.inputs.size() > 1)
        return makeError(Code::Unsupported, str("Layer ", operation.layer, " keeps a cache and cannot be trained."))
            .atNode(operation.layer);
    MR_TRY(const auto gradients,
           d.add("attention_backward",
                 {operation.inputs[0], operation.outputs[0], operation.outputs[1], d.outputGradient()},
                 operation.attributes));
    d.give(0, gradients[0]);
    return {};
}

} // namespace

std::span<const OperationKind> sequence()
{
    static const OperationKind kinds[] = {
        {.name = "embedding",
         .inputs = {{"table"}, {"tokens", DType::I32}},
         .attributes = {},
         .shape = embeddingShape,
         .flops = noFlops,
         .gradient = embeddingGradient},
        {.name = "embedding_backward",
         .inputs = {{"tokens", DType::I32}, {"dy"}},
         .attributes = {"rows"},
         .shape = embeddingBackwardShape,
         .flops = embeddingBackwardFlops},
        {.name = "position",
         .inputs = {{"x"}, {"table"}, {"offset", DType::I32, true}},
         .attributes = {},
         .shape = positionShape,
         .flops = perElement<1>,
         .gradient = positionGradient,
         .overwrites = {0}},
        {.name = "position_backward",
         .inputs = {{"dy"}, {"offset", DType::I32, true}},
         .attributes = {"places"},
         .shape = positionBackwardShape,
         .flops = perElement<1>},
        {.name = "attention",
         .inputs =
             {{"qkv"}, {"key_cache", kStored, true}, {"value_cache", kStored, true}, {"offset", DType::I32, true}},
         .attributes = {"heads", "causal"},
         .shape = attentionShape,
         .flops = attentionFlops,
         .gradient = attentionGradient},
        {.name = "attention_backward",
         .inputs = {{"qkv"}, {"y"}, {"logsumexp", DType::F32}, {"dy"}},
         .attributes = {"heads", "causal"},
         .shape = gradientLikeInput<0>,
         .flops = attentionBackwardFlops},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
