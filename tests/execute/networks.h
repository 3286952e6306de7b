// The networks of the executor's tests, and what it takes to run one.
#pragma once

#include "engine/execute/executor.h"
#include "kernels/base/random.h"

#include <QtGlobal>

namespace millrace::execute {

using namespace compile;
using graph::Graph;
using graph::Role;
using graph::TensorId;
using Initial = graph::Tensor::Initial;

/// Builds graphs a layer at a time.
struct Net
{
    Graph graph;
    TensorId x = 0;

    explicit Net(Shape features)
    {
        x = tensor("features", features, Role::Input);
        graph.ports()["features"] = x;
    }

    TensorId tensor(const std::string& name, Shape shape, Role role, Initial initial = Initial::Zero,
                    std::int64_t fanIn = 0)
    {
        graph::Tensor result;
        result.name = name;
        result.shape = shape;
        result.role = role;
        result.initial = initial;
        result.fanIn = fanIn;
        return graph.addTensor(result);
    }

    Net& add(const std::string& kind, const std::string& layer, std::map<std::string, graph::Attribute> attributes = {})
    {
        x = graph.add(kind, layer, {x}, std::move(attributes)).value()[0];
        return *this;
    }
    Net& dense(const std::string& layer, std::int64_t outputs)
    {
        const std::int64_t inputs = graph.tensor(x).shape[1];
        const auto weight =
            tensor(layer + ".weight", {outputs, inputs}, Role::Parameter, Initial::KaimingUniform, inputs);
        const auto bias = tensor(layer + ".bias", {outputs}, Role::Parameter, Initial::KaimingUniform, inputs);
        x = graph.add("dense", layer, {x, weight, bias}).value()[0];
        return *this;
    }
    Net& conv(const std::string& layer, std::int64_t outputs, std::map<std::string, graph::Attribute> attributes,
              std::int64_t groups = 1)
    {
        const std::int64_t channels = graph.tensor(x).shape[3] / groups;
        const auto weight = tensor(layer + ".weight", {outputs, 3, 3, channels}, Role::Parameter,
                                   Initial::KaimingUniform, 9 * channels);
        const auto bias = tensor(layer + ".bias", {outputs}, Role::Parameter, Initial::KaimingUniform, 9 * channels);
        attributes["groups"] = groups;
        x = graph.add("conv2d", layer, {x, weight, bias}, std::move(attributes)).value()[0];
        return *this;
    }
    Net& batchNorm(const std::string& layer)
    {
        const Shape shape = graph.tensor(x).shape;
        const Shape c{shape[shape.rank() - 1]};
        x = graph
                .add("batch_norm", layer,
                     {x, tensor(layer + ".scale", c, Role::Parameter, Initial::One),
                      tensor(layer + ".bias", c, Role::Parameter), tensor(layer + ".mean", c, Role::State),
                      tensor(layer + ".variance", c, Role::State, Initial::One)})
                .value()[0];
        return *this;
    }
    Graph done()
    {
        graph.ports()["output"] = x;
        return graph;
    }
};

inline constexpr std::int64_t kOne = 1, kTwo = 2;

/// Convolution, batch norm, a residual branch, max pooling and a classifier.
inline Graph classifier(std::int64_t batch)
{
    Net net({batch, 8, 8, 2});
    net.conv("conv1", 4, {{"padding", kOne}}).batchNorm("norm1").add("relu", "relu1");
    const TensorId branch = net.x;
    net.conv("conv2", 4, {{"padding", kOne}}).add("tanh", "tanh2");
    net.x = net.graph.add("add", "sum", {branch, net.x}).value()[0];
    net.add("max_pool2d", "pool", {{"size", kTwo}}).add("flatten", "flat").dense("fc1", 9).add("relu", "relu2");
    return net.dense("fc2", 3).done();
}

/// The kinds that the classifier lacks, for the mean squared error.
inline Graph regressor(std::int64_t batch)
{
    Net net({batch, 72});
    net.add("reshape", "image", {{"shape", std::vector<std::int64_t>{6, 6, 2}}});
    net.conv("conv1", 4, {{"stride", kTwo}, {"padding", kOne}}, 2).add("gelu", "gelu1");
    net.conv("conv2", 4, {{"padding", kTwo}, {"dilation", kTwo}})
        .add("gelu", "gelu2", {{"approximate", std::string("tanh")}});
    net.add("average_pool2d", "pool", {{"size", kTwo}, {"stride", kOne}, {"padding", kOne}}).add("flatten", "flat");
    net.add("dropout", "drop", {{"probability", 0.3}}).dense("fc1", 6).add("sigmoid", "sigmoid").batchNorm("norm");
    return net.add("softmax", "softmax").dense("fc2", 2).done();
}

inline void fill(std::span<float> values, std::string_view what)
{
    Random random(11, streamOf(what));
    for (float& value : values) value = static_cast<float>(random.normal());
}

/// A port that is there, or the end of the test program.
inline std::span<float> floats(Executor& executor, std::string_view port)
{
    auto values = executor.floats(port);
    if (!values) qFatal("%s", values.error().toString().c_str());
    return *values;
}
inline std::span<std::int32_t> integers(Executor& executor, std::string_view port)
{
    auto values = executor.integers(port);
    if (!values) qFatal("%s", values.error().toString().c_str());
    return *values;
}

struct Bench
{
    std::shared_ptr<Weights> weights;
    std::unique_ptr<Executor> executor;

    Bench(const Graph& forward, Loss loss, int threads = 1, std::uint64_t seed = 5)
    {
        const Program program = plan(withGradients(forward, loss).value(), Mode::Training).value();
        weights = Weights::create(program, seed).value();
        executor = Executor::create(program, weights, threads).value();
        fill(floats(*executor, "features"), "features");
        if (loss == Loss::MeanSquaredError) {
            fill(floats(*executor, "targets"), "targets");
            return;
        }
        const auto labels = integers(*executor, "labels");
        const auto classes = static_cast<int>(forward.tensor(forward.port("output").value()).shape[1]);
        for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int>(i * 7 + i / 3) % classes;
    }
    float loss(std::uint64_t step = 0)
    {
        (void)executor->run(1, step).has_value();
        return floats(*executor, "loss")[0];
    }
};

} // namespace millrace::execute
