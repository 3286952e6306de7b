// The families of layers, a file each, and what they share. One row holds all that Millrace knows of a layer: what the
// catalogue says of it, the weights and operations that it becomes, and what a node says of itself on the canvas.
// Only layer_operations.cpp and the families include this.
//
// A row of data goes through layers without its batch: 8×8×1 for an image (height, width, channels), 30 for a table of
// 30 columns, 256×64 for a sequence (steps, width). Axes are counted from 1, the first after the batch; -1 is the last.
#pragma once

#include "engine/pipeline/layer_operations.h"
#include "engine/pipeline/node_types.h"
#include "engine/pipeline/values.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

namespace millrace::pipeline::layers {

using graph::TensorId;
using Built = Result<std::optional<TensorId>>;
using Attributes = std::map<std::string, graph::Attribute>;

/// How a weight starts, and whether it decays: weights do, biases, scales and shifts do not.
struct Start
{
    graph::Tensor::Initial initial = graph::Tensor::Initial::Zero;
    std::int64_t fanIn = 0, fanOut = 0;
    double deviation = 1;
    bool decay = false;

    /// Uniform within ±1/√fanIn, as PyTorch starts linear, convolution and recurrent layers.
    static Start uniform(std::int64_t fanIn, std::int64_t fanOut, bool decay = true);
    /// Xavier's: uniform within ±√(6/(fanIn + fanOut)).
    static Start xavier(std::int64_t fanIn, std::int64_t fanOut);
    static Start normal(double deviation, bool decay = true);
    static Start constant(graph::Tensor::Initial value);
};

/// A layer on its way into the graph.
class Site : public Values
{
public:
    Site(graph::Graph& graph, const LayerSite& site) : Values(site.node, site.spec), m_graph(graph), m_site(site) {}

    const LayerSite& layer() const { return m_site; }
    const std::string& id() const { return m_site.node.id; }
    TensorId input(std::size_t index = 0) const { return m_site.inputs[index]; }
    const std::vector<TensorId>& inputs() const { return m_site.inputs; }
    const Shape& shape(std::size_t input = 0) const { return m_graph.tensor(m_site.inputs[input]).shape; }
    /// The size of the last axis: channels or features.
    std::int64_t width(std::size_t input = 0) const;
    /// The axis in the graph's count, batch first, from the user's. Errors: InvalidArgument at that parameter.
    Result<std::int64_t> axis(std::int64_t given, std::string_view parameter) const;
    /// "8×8×64 from pool2".
    std::string described(std::size_t input = 0) const;
    Error refuse(std::string message, std::string advice, std::string parameter = {}) const;

    /// Adds a weight or state of the layer, "conv1.weight".
    Result<TensorId> weight(std::string_view name, std::vector<std::int64_t> dimensions, const Start& start);
    Result<TensorId> state(std::string_view name, std::vector<std::int64_t> dimensions, graph::Tensor::Initial initial);
    /// The weight that another layer added. Errors: NotFound where it is not before this one.
    Result<TensorId> weightOf(const std::string& layer, std::string_view name, std::string parameter) const;
    /// Adds an operation and gives its first output; `output` gives it as the layer's.
    Built output(std::string kind, std::vector<TensorId> inputs, Attributes attributes = {});
    Result<TensorId> operation(std::string kind, std::vector<TensorId> inputs, Attributes attributes = {});
    const Shape& shapeOf(TensorId tensor) const { return m_graph.tensor(tensor).shape; }

    /// How many tokens a model remembers that reads a text piece by piece; 0: it sees its input whole.
    std::int64_t places() const { return m_site.places; }
    /// Where the piece begins in the text: the port "offset", added by the first layer that asks. Only with places.
    Result<TensorId> offset();
    /// For layers that work across the steps of a sequence. Errors: Unsupported where the model sees only a piece.
    Status needWholeSequence() const;

private:
    graph::Graph& m_graph;
    const LayerSite& m_site;
};

struct Row
{
    NodeSpec spec;
    Built (*add)(Site&) = nullptr;                ///< null for layer.input and layer.output
    std::string (*fact)(const Values&) = nullptr; ///< what it is by its parameters alone; null: its shape is shown
    bool takesTokens = false;                     ///< whole numbers; all others take f32
};

std::vector<Row> ends();        ///< input, output
std::vector<Row> linear();      ///< dense, embedding, positions
std::vector<Row> convolution(); ///< conv2d, conv_transpose2d
std::vector<Row> pooling();
std::vector<Row> normalization(); ///< batch, layer, RMS and group norm; dropout
std::vector<Row> activations();
std::vector<Row> sequences(); ///< attention, LSTM, GRU
std::vector<Row> shapes();    ///< flatten, reshape, transpose, slice, concatenate, add, multiply, reduce

/// All of them, in the catalogue's order.
const std::vector<Row>& rows();

/// A specification with one input and one output.
NodeSpec layerType(std::string type, std::string title, std::string category, std::string help,
                   std::string formula = {}, std::string source = {});
ParamSpec biasParam();
/// The deviation of normally distributed weights; 0: the layer's own start.
ParamSpec deviationParam(std::string id, std::string title, std::string own);

} // namespace millrace::pipeline::layers
