#include "engine/pipeline/layer_operations.h"

#include "engine/pipeline/structure.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <array>

namespace millrace::pipeline {

using graph::Graph;
using graph::Role;
using graph::Tensor;
using graph::TensorId;
using Built = Result<std::optional<TensorId>>;

namespace {
std::int64_t integer(const LayerSite& site, std::string_view id)
{
    return usableValue(site.node, site.spec, id).get<std::int64_t>();
}

double number(const LayerSite& site, std::string_view id)
{
    return usableValue(site.node, site.spec, id).get<double>();
}

std::string text(const LayerSite& site, std::string_view id)
{
    return usableValue(site.node, site.spec, id).get<std::string>();
}

Built added(Graph& graph, const LayerSite& site, std::string kind, std::vector<TensorId> inputs,
            std::map<std::string, graph::Attribute> attributes = {})
{
    MR_TRY(const auto outputs, graph.add(std::move(kind), site.node.id, std::move(inputs), std::move(attributes)));
    return std::optional(outputs.front());
}

// A weight or state of the layer, "conv1.weight".
Result<TensorId> addWeight(Graph& graph, const LayerSite& site, std::string_view name,
                           std::initializer_list<std::int64_t> dimensions, Tensor tensor)
{
    MR_TRY(tensor.shape, Shape::create({dimensions.begin(), dimensions.size()}));
    tensor.name = str(site.node.id, ".", name);
    return graph.addTensor(std::move(tensor));
}

Tensor parameter(Tensor::Initial initial, std::int64_t fanIn = 0, std::int64_t fanOut = 0)
{
    Tensor tensor;
    tensor.role = Role::Parameter;
    tensor.initial = initial;
    tensor.fanIn = fanIn;
    tensor.fanOut = fanOut;
    tensor.decay = fanIn > 0; // weights have a fan-in; biases, scales and shifts have none
    return tensor;
}

Tensor state(Tensor::Initial initial)
{
    Tensor tensor;
    tensor.role = Role::State;
    tensor.initial = initial;
    return tensor;
}

std::int64_t lastDimension(const Shape& shape)
{
    return shape[shape.rank() - 1];
}

Built addDense(Graph& graph, const LayerSite& site)
{
    const Shape& x = graph.tensor(site.inputs[0]).shape;
    const bool isAnswer = integer(site, "units") == 0;
    const std::int64_t units = isAnswer ? site.answers : integer(site, "units");
    if (units == 0) return std::optional<TensorId>();
    const std::int64_t features = x.elements() / x[0];
    // Kaiming suits the rectifiers that follow hidden layers; nothing follows the answer
    const auto initial = isAnswer ? Tensor::Initial::XavierUniform : Tensor::Initial::KaimingUniform;
    MR_TRY(const TensorId weight,
           addWeight(graph, site, "weight", {units, features}, parameter(initial, features, units)));
    MR_TRY(const TensorId bias, addWeight(graph, site, "bias", {units}, parameter(Tensor::Initial::Zero)));
    return added(graph, site, "dense", {site.inputs[0], weight, bias});
}

Built addConv2d(Graph& graph, const LayerSite& site)
{
    const std::int64_t kernel = integer(site, "kernel"), dilation = integer(site, "dilation");
    const std::int64_t channels = integer(site, "channels"), groups = integer(site, "groups");
    const bool isSame = text(site, "padding") == "same";
    const std::int64_t reach = dilation * (kernel - 1);
    if (isSame && reach % 2 != 0)
        return makeError(Code::InvalidArgument,
                         str("A kernel of ", kernel, " has no middle, so padding cannot keep the size."))
            .atNode(site.node.id, "kernel")
            .advise("Take an odd kernel, or padding valid.");
    // the operation's shape rule tells what is wrong where the groups do not divide the channels
    const std::int64_t inputs = std::max<std::int64_t>(lastDimension(graph.tensor(site.inputs[0]).shape) / groups, 1);
    const std::int64_t taps = kernel * kernel;
    MR_TRY(const TensorId weight, addWeight(graph, site, "weight", {channels, kernel, kernel, inputs},
                                            parameter(Tensor::Initial::KaimingUniform, taps * inputs,
                                                      std::max<std::int64_t>(taps * channels / groups, 1))));
    MR_TRY(const TensorId bias, addWeight(graph, site, "bias", {channels}, parameter(Tensor::Initial::Zero)));
    return added(graph, site, "conv2d", {site.inputs[0], weight, bias},
                 {{"stride", integer(site, "stride")},
                  {"padding", isSame ? reach / 2 : 0},
                  {"dilation", dilation},
                  {"groups", groups}});
}

Built addPool(Graph& graph, const LayerSite& site)
{
    const std::int64_t size = integer(site, "size"), stride = integer(site, "stride");
    return added(graph, site, site.spec.type == "layer.max_pool" ? "max_pool2d" : "average_pool2d", site.inputs,
                 {{"size", size}, {"stride", stride == 0 ? size : stride}});
}

Built addBatchNorm(Graph& graph, const LayerSite& site)
{
    const std::int64_t channels = lastDimension(graph.tensor(site.inputs[0]).shape);
    MR_TRY(const TensorId scale, addWeight(graph, site, "scale", {channels}, parameter(Tensor::Initial::One)));
    MR_TRY(const TensorId bias, addWeight(graph, site, "bias", {channels}, parameter(Tensor::Initial::Zero)));
    MR_TRY(const TensorId mean, addWeight(graph, site, "running_mean", {channels}, state(Tensor::Initial::Zero)));
    MR_TRY(const TensorId variance,
           addWeight(graph, site, "running_variance", {channels}, state(Tensor::Initial::One)));
    return added(graph, site, "batch_norm", {site.inputs[0], scale, bias, mean, variance},
                 {{"momentum", number(site, "momentum")}, {"epsilon", number(site, "epsilon")}});
}

Built addDropout(Graph& graph, const LayerSite& site)
{
    return added(graph, site, "dropout", site.inputs, {{"probability", number(site, "rate")}});
}

Built addReshape(Graph& graph, const LayerSite& site)
{
    return added(graph, site, "reshape", site.inputs,
                 {{"shape", usableValue(site.node, site.spec, "shape").get<std::vector<std::int64_t>>()}});
}

// Layers that are one operation without attributes, called as the layer is.
Built addNamesake(Graph& graph, const LayerSite& site)
{
    return added(graph, site, site.spec.type.substr(std::string_view("layer.").size()), site.inputs);
}

struct Row
{
    std::string_view type;
    Built (*add)(Graph&, const LayerSite&);
};
constexpr std::array<Row, 13> kRows{{
    {"layer.dense", addDense},
    {"layer.conv2d", addConv2d},
    {"layer.max_pool", addPool},
    {"layer.average_pool", addPool},
    {"layer.batch_norm", addBatchNorm},
    {"layer.dropout", addDropout},
    {"layer.relu", addNamesake},
    {"layer.gelu", addNamesake},
    {"layer.tanh", addNamesake},
    {"layer.sigmoid", addNamesake},
    {"layer.flatten", addNamesake},
    {"layer.reshape", addReshape},
    {"layer.add", addNamesake},
}};
} // namespace

Built addLayer(Graph& graph, const LayerSite& site)
{
    const auto row =
        std::find_if(kRows.begin(), kRows.end(), [&](const Row& each) { return each.type == site.spec.type; });
    if (row == kRows.end())
        return makeError(Code::Internal, str("The layer type ", site.spec.type, " has no operation."))
            .atNode(site.node.id);
    return row->add(graph, site);
}

std::string layerFact(const Node& node, const NodeSpec& spec)
{
    const auto whole = [&](std::string_view id) { return usableValue(node, spec, id).get<std::int64_t>(); };
    if (spec.type == "layer.conv2d")
        return str(whole("kernel"), "×", whole("kernel"), ", ", formatCount(whole("channels")), " channels");
    if (spec.type == "layer.dense" && whole("units") > 0) return str(formatCount(whole("units")), " units");
    if (spec.type == "layer.max_pool" || spec.type == "layer.average_pool")
        return str(whole("size"), "×", whole("size"));
    if (spec.type == "layer.dropout")
        return str(significant(100 * usableValue(node, spec, "rate").get<double>(), 3), " %");
    return {};
}

} // namespace millrace::pipeline
