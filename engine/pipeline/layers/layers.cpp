#include "engine/pipeline/layers/layers.h"

#include "engine/graph/operations.h"

#include <algorithm>

namespace millrace::pipeline::layers {

using graph::Role;
using graph::Tensor;

Start Start::uniform(std::int64_t fanIn, std::int64_t fanOut, bool decay)
{
    return {Tensor::Initial::KaimingUniform, fanIn, fanOut, 1, decay};
}

Start Start::xavier(std::int64_t fanIn, std::int64_t fanOut)
{
    return {Tensor::Initial::XavierUniform, fanIn, fanOut, 1, true};
}

Start Start::normal(double deviation, bool decay)
{
    return {Tensor::Initial::Normal, 0, 0, deviation, decay};
}

Start Start::constant(Tensor::Initial value)
{
    return {value, 0, 0, 1, false};
}

std::int64_t Site::width(std::size_t input) const
{
    const Shape& x = shape(input);
    return x.rank() == 0 ? 1 : x[x.rank() - 1];
}

Result<std::int64_t> Site::axis(std::int64_t given, std::string_view parameter) const
{
    const auto rank = static_cast<std::int64_t>(shape().rank());
    const std::int64_t axis = given < 0 ? rank + given : given;
    if (given != 0 && axis >= 1 && axis < rank) return axis;
    return refuse(
        str("Layer ", id(), " works on axis ", given, ", but ", described(), " has the axes 1 to ", rank - 1, "."),
        "The batch is no axis of a row; -1 is the last.", std::string(parameter));
}

std::string Site::described(std::size_t input) const
{
    const graph::Operation reader{"", id(), m_site.inputs, {}, {}};
    return graph::Site(m_graph, reader).sampleAndSource(input);
}

Error Site::refuse(std::string message, std::string advice, std::string parameter) const
{
    return makeError(Code::InvalidArgument, std::move(message))
        .atNode(id(), std::move(parameter))
        .advise(std::move(advice));
}

Result<TensorId> Site::weight(std::string_view name, std::vector<std::int64_t> dimensions, const Start& start)
{
    Tensor tensor;
    MR_TRY(tensor.shape, Shape::create(dimensions));
    tensor.name = str(id(), ".", name);
    tensor.role = Role::Parameter;
    tensor.initial = start.initial;
    tensor.fanIn = start.fanIn;
    tensor.fanOut = start.fanOut;
    tensor.deviation = start.deviation;
    tensor.decay = start.decay;
    return m_graph.addTensor(std::move(tensor));
}

Result<TensorId> Site::state(std::string_view name, std::vector<std::int64_t> dimensions, Tensor::Initial initial)
{
    Tensor tensor;
    MR_TRY(tensor.shape, Shape::create(dimensions));
    tensor.name = str(id(), ".", name);
    tensor.role = Role::State;
    tensor.initial = initial;
    return m_graph.addTensor(std::move(tensor));
}

Result<TensorId> Site::weightOf(const std::string& layer, std::string_view name, std::string parameter) const
{
    const std::string wanted = str(layer, ".", name);
    const auto& tensors = m_graph.tensors();
    const auto found =
        std::find_if(tensors.begin(), tensors.end(), [&](const Tensor& tensor) { return tensor.name == wanted; });
    if (found != tensors.end()) return static_cast<TensorId>(found - tensors.begin());
    return makeError(Code::NotFound, str("Layer ", id(), " shares the weights of '", printable(layer),
                                         "', but no layer of that name "
                                         "with a ",
                                         name, " leads to it."))
        .atNode(id(), std::move(parameter))
        .advise("Name an Embedding layer that stands before it, or leave it empty for weights of its own.");
}

Result<TensorId> Site::offset()
{
    if (const auto port = m_graph.ports().find("offset"); port != m_graph.ports().end()) return port->second;
    Tensor tensor;
    tensor.name = "offset";
    tensor.role = Role::Input;
    tensor.type = DType::I32;
    tensor.shape = Shape{1};
    return m_graph.ports()["offset"] = m_graph.addTensor(std::move(tensor));
}

Status Site::needWholeSequence() const
{
    if (places() == 0) return {};
    return makeError(Code::Unsupported, str("Layer ", id(), " (", m_site.spec.title,
                                            ") works across the steps of a text, so the model cannot go on token by "
                                            "token."))
        .atNode(id())
        .advise("Only models whose steps meet in causal attention, LSTM or GRU layers can.");
}

Result<TensorId> Site::operation(std::string kind, std::vector<TensorId> inputs, Attributes attributes)
{
    MR_TRY(const auto outputs, m_graph.add(std::move(kind), id(), std::move(inputs), std::move(attributes)));
    return outputs.front();
}

Built Site::output(std::string kind, std::vector<TensorId> inputs, Attributes attributes)
{
    MR_TRY(const TensorId tensor, operation(std::move(kind), std::move(inputs), std::move(attributes)));
    return std::optional(tensor);
}

const std::vector<Row>& rows()
{
    static const std::vector<Row> all = [] {
        std::vector<Row> collected;
        for (auto& family :
             {ends(), linear(), convolution(), pooling(), normalization(), activations(), sequences(), shapes()})
            collected.insert(collected.end(), family.begin(), family.end());
        return collected;
    }();
    return all;
}

NodeSpec layerType(std::string type, std::string title, std::string category, std::string help, std::string formula,
                   std::string source)
{
    NodeSpec spec = nodeType(std::move(type), std::move(title), std::move(category), std::move(help));
    spec.formula = std::move(formula);
    spec.source = std::move(source);
    spec.inputs = {{"in", "In", PortType::Tensor, true}};
    spec.outputs = {{"out", "Out", PortType::Tensor, true}};
    spec.cacheable = false; // a layer is no stage
    spec.isLayer = true;
    return spec;
}

ParamSpec biasParam()
{
    return advanced(booleanParam("bias", "Bias", "Adds a learned number to each output.", true));
}

ParamSpec deviationParam(std::string id, std::string title, std::string own)
{
    return advanced(numberParam(std::move(id), std::move(title),
                                str("Standard deviation of the normal distribution that the weights start with, biases "
                                    "zero; 0: ",
                                    own, "."),
                                0, 0, 10));
}

} // namespace millrace::pipeline::layers
