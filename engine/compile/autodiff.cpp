// Loss and gradients as a graph transformation: the forward operations are walked backwards, and each one's gradient
// rule adds the operations that carry the gradient on to its inputs.
#include "engine/compile/program.h"
#include "engine/graph/operations.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <optional>

namespace millrace::compile {

namespace {

using graph::Graph;
using graph::Operation;
using graph::Role;
using graph::Tensor;
using graph::TensorId;

std::string_view kindOf(Loss loss)
{
    switch (loss) {
    case Loss::CrossEntropy:
        return "cross_entropy";
    case Loss::BinaryCrossEntropy:
        return "binary_cross_entropy";
    case Loss::MeanSquaredError:
        return "mse";
    case Loss::MeanAbsoluteError:
        return "mae";
    case Loss::Huber:
        return "huber";
    case Loss::KullbackLeibler:
        return "kl";
    }
    return "";
}

std::map<std::string, graph::Attribute> attributesOf(Loss loss, const LossOptions& options, bool withGradient)
{
    std::map<std::string, graph::Attribute> attributes{{"gradient", std::int64_t{withGradient}}};
    if (loss == Loss::CrossEntropy && options.labelSmoothing != 0)
        attributes["label_smoothing"] = options.labelSmoothing;
    if (loss == Loss::CrossEntropy) attributes["ignore_index"] = options.ignoreIndex;
    if (loss == Loss::Huber) attributes["delta"] = options.huberDelta;
    if (loss == Loss::KullbackLeibler) attributes["temperature"] = options.temperature;
    return attributes;
}

/// What the loss compares the output with: one label per row, or targets of the output's shape. Sequences (B,T,V) have
/// a label for each place.
Tensor expectedOf(Loss loss, const Shape& output)
{
    Tensor expected;
    const bool classes = loss == Loss::CrossEntropy;
    expected.name = classes ? "labels" : "targets";
    expected.type = classes ? DType::I32 : DType::F32;
    expected.shape = output;
    if (classes && output.rank() == 3)
        expected.shape = Shape{output[0], output[1]};
    else if (classes && output.rank() > 0)
        expected.shape = Shape{output[0]};
    expected.role = Role::Input;
    return expected;
}

Status addLoss(Graph& graph, Loss loss, const LossOptions& options, bool withGradient)
{
    MR_TRY(const TensorId output, graph.port("output"));
    Tensor expected = expectedOf(loss, graph.tensor(output).shape);
    const std::string port = expected.name;
    std::vector<TensorId> inputs{output, graph.addTensor(std::move(expected))};
    if (loss == Loss::CrossEntropy && !options.classWeights.empty()) {
        Tensor weights;
        weights.name = "class_weights";
        weights.shape = Shape{static_cast<std::int64_t>(options.classWeights.size())};
        weights.role = Role::Input;
        inputs.push_back(graph.addTensor(std::move(weights)));
        graph.ports()["class_weights"] = inputs.back();
    }
    MR_TRY(const auto outputs,
           graph.add(std::string(kindOf(loss)), "loss", inputs, attributesOf(loss, options, withGradient)));
    graph.ports()[port] = inputs[1];
    graph.ports()["loss"] = outputs[0];
    if (loss == Loss::CrossEntropy || loss == Loss::BinaryCrossEntropy) graph.ports()["correct"] = outputs[1];
    if (withGradient) graph.ports().erase("output");
    return {};
}

/// For each tensor, whether the loss's gradient with respect to it leads to a parameter.
std::vector<bool> leadsToParameter(const Graph& graph)
{
    std::vector<bool> leads(graph.tensors().size(), false);
    for (TensorId id = 0; id < leads.size(); ++id) leads[id] = graph.tensor(id).role == Role::Parameter;
    for (const Operation& operation : graph.operations()) {
        const bool any =
            std::any_of(operation.inputs.begin(), operation.inputs.end(), [&](TensorId id) { return leads[id]; });
        for (const TensorId id : operation.outputs) leads[id] = any && graph.tensor(id).type == DType::F32;
    }
    return leads;
}

class Backward final : public graph::Differentiation
{
public:
    explicit Backward(Graph& graph)
        : m_graph(graph), m_wanted(leadsToParameter(graph)), m_gradients(graph.tensors().size())
    {
    }

    Status walk()
    {
        // a copy, because the rules add operations behind those that are walked
        const std::vector<Operation> forward = m_graph.operations();
        for (std::size_t i = forward.size(); i-- > 0;) {
            m_operation = forward[i];
            const bool isLoss = i + 1 == forward.size();
            if (!m_wanted[m_operation.outputs[0]]) continue;
            MR_TRY(const graph::OperationKind* kind, graph::findKind(m_operation.kind));
            if (!isLoss) {
                MR_TRY(const bool reached, isReached(*kind));
                if (!reached) continue;
            }
            if (!kind->gradient)
                return makeError(Code::Unsupported,
                                 str("Layer ", m_operation.layer, " cannot be trained: the operation ",
                                     m_operation.kind, " has no gradient."))
                    .atNode(m_operation.layer);
            MR_CHECK(kind->gradient(*this));
            MR_CHECK(m_failure);
        }
        return nameParameterGradients();
    }

    const Graph& graph() const override { return m_graph; }
    const Operation& operation() const override { return m_operation; }
    TensorId outputGradient() const override { return *m_gradients[m_operation.outputs[0]]; }
    std::optional<TensorId> gradientOf(std::size_t output) const override
    {
        return m_gradients[m_operation.outputs[output]];
    }
    bool wants(std::size_t input) const override { return m_wanted[m_operation.inputs[input]]; }

    Result<std::vector<TensorId>> add(std::string kind, std::vector<TensorId> inputs,
                                      std::map<std::string, graph::Attribute> attributes) override
    {
        return m_graph.add(std::move(kind), m_operation.layer, std::move(inputs), std::move(attributes));
    }

    /// A tensor that several operations read gets the sum of what they give.
    void give(std::size_t input, TensorId gradient) override
    {
        if (!wants(input)) return;
        std::optional<TensorId>& sum = m_gradients[m_operation.inputs[input]];
        if (!sum) {
            sum = gradient;
            return;
        }
        auto added = add("add", {*sum, gradient}, {});
        if (added)
            sum = (*added)[0];
        else
            m_failure = std::move(added).error();
    }

private:
    /// Whether the loss depends on the operation. Unsupported where it does through an output that its gradient rule
    /// does not know.
    Result<bool> isReached(const graph::OperationKind& kind) const
    {
        bool reached = m_gradients[m_operation.outputs[0]].has_value();
        for (std::size_t k = 1; k < m_operation.outputs.size(); ++k) {
            if (!m_gradients[m_operation.outputs[k]]) continue;
            if (!kind.everyOutput)
                return makeError(Code::Unsupported,
                                 str("Layer ", m_operation.layer, " cannot be trained through its output ",
                                     m_graph.tensor(m_operation.outputs[k]).name, "."))
                    .atNode(m_operation.layer);
            reached = true;
        }
        return reached;
    }

    Status nameParameterGradients()
    {
        for (TensorId id = 0; id < m_gradients.size(); ++id) {
            if (m_graph.tensor(id).role != Role::Parameter || !m_gradients[id]) continue;
            TensorId gradient = *m_gradients[id];
            if (m_graph.tensor(gradient).role == Role::Gradient) {
                // two parameters share one gradient (both were added to the same tensor): the second takes a copy
                const auto dimensions = m_graph.tensor(gradient).shape.dimensions();
                MR_TRY(const auto copy,
                       m_graph.add("reshape", m_graph.tensor(id).name, {gradient},
                                   {{"shape", std::vector<std::int64_t>(dimensions.begin() + 1, dimensions.end())}}));
                gradient = copy[0];
            }
            m_graph.tensor(gradient).role = Role::Gradient;
            m_graph.ports()["gradient/" + m_graph.tensor(id).name] = gradient;
        }
        return {};
    }

    Graph& m_graph;
    std::vector<bool> m_wanted;                       // by forward tensor
    std::vector<std::optional<TensorId>> m_gradients; // by forward tensor
    Operation m_operation;
    Status m_failure;
};

} // namespace

Result<Graph> withLoss(Graph forward, Loss loss, const LossOptions& options)
{
    MR_CHECK(addLoss(forward, loss, options, false));
    return forward;
}

Result<Graph> withGradients(Graph forward, Loss loss, const LossOptions& options)
{
    MR_CHECK(addLoss(forward, loss, options, true));
    Backward backward(forward);
    MR_CHECK(backward.walk());
    return forward;
}

} // namespace millrace::compile
