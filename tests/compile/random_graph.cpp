#include "tests/compile/random_graph.h"

#include "kernels/base/random.h"
#include "kernels/base/text.h"

namespace millrace::compile {

using graph::Graph;
using graph::Role;
using graph::TensorId;

TensorId tensor(Graph& graph, const std::string& name, Shape shape, Role role)
{
    graph::Tensor result;
    result.name = name;
    result.shape = shape;
    result.role = role;
    return graph.addTensor(result);
}

TensorId dense(Graph& graph, const std::string& layer, TensorId x, std::int64_t outputs)
{
    const auto weight = tensor(graph, layer + ".weight", {outputs, graph.tensor(x).shape[1]}, Role::Parameter);
    const auto bias = tensor(graph, layer + ".bias", {outputs}, Role::Parameter);
    return graph.add("dense", layer, {x, weight, bias}).value()[0];
}

namespace {

TensorId batchNorm(Graph& graph, const std::string& layer, TensorId x)
{
    const Shape shape = graph.tensor(x).shape;
    const Shape channels{shape[shape.rank() - 1]};
    std::vector<TensorId> inputs{x};
    for (const char* name : {".scale", ".bias"})
        inputs.push_back(tensor(graph, layer + name, channels, Role::Parameter));
    for (const char* name : {".mean", ".variance"})
        inputs.push_back(tensor(graph, layer + name, channels, Role::State));
    return graph.add("batch_norm", layer, inputs).value()[0];
}

TensorId layerNorm(Graph& graph, const std::string& layer, TensorId x)
{
    const Shape shape = graph.tensor(x).shape;
    std::vector<TensorId> inputs{x};
    for (const char* name : {".scale", ".bias"})
        inputs.push_back(tensor(graph, layer + name, {shape[shape.rank() - 1]}, Role::Parameter));
    return graph.add("layer_norm", layer, inputs).value()[0];
}

TensorId conv(Graph& graph, const std::string& layer, TensorId x, std::int64_t outputs)
{
    const auto weight = tensor(graph, layer + ".weight", {outputs, 3, 3, graph.tensor(x).shape[3]}, Role::Parameter);
    return graph.add("conv2d", layer, {x, weight}, {{"padding", std::int64_t{1}}}).value()[0];
}

} // namespace

Graph randomGraph(std::uint64_t seed, std::int64_t batch)
{
    Random random(seed, streamOf("random graph"));
    Graph graph;
    TensorId x = tensor(graph, "features", {batch, 6, 6, 3}, Role::Input);
    graph.ports()["features"] = x;
    std::vector<TensorId> earlier{x};
    const auto layers = 3 + random.below(14);
    for (std::uint64_t i = 0; i < layers; ++i) {
        const std::string layer = str("layer", i);
        const Shape shape = graph.tensor(x).shape;
        const auto one = [&](const char* kind) { return graph.add(kind, layer, {x}).value()[0]; };
        switch (random.below(12)) {
        case 0:
            x = one("relu");
            break;
        case 1:
            x = graph.add("gelu", layer, {x}, {{"approximate", std::string(i % 3 > 0 ? "tanh" : "none")}}).value()[0];
            break;
        case 2:
            x = one("tanh");
            break;
        case 3:
            x = one("sigmoid");
            break;
        case 4:
            x = one("dropout");
            break;
        case 5:
            x = batchNorm(graph, layer, x);
            break;
        case 6:
            x = shape.rank() == 4 ? conv(graph, layer, x, 1 + static_cast<std::int64_t>(random.below(5)))
                                  : dense(graph, layer, x, 7);
            break;
        case 7:
            x = shape.rank() == 4 && shape[1] > 1
                    ? graph.add("max_pool2d", layer, {x}, {{"size", std::int64_t{2}}}).value()[0]
                    : one("softmax");
            break;
        case 8:
            x = one("flatten");
            break;
        case 9:
            x = layerNorm(graph, layer, x);
            break;
        default: {
            const TensorId other = earlier[random.below(earlier.size())];
            if (graph.tensor(other).shape == shape) x = graph.add("add", layer, {other, x}).value()[0];
        }
        }
        earlier.push_back(x);
    }
    if (graph.tensor(x).shape.rank() != 2) x = graph.add("flatten", "last", {x}).value()[0];
    graph.ports()["output"] = dense(graph, "output", x, 5);
    return graph;
}

} // namespace millrace::compile
