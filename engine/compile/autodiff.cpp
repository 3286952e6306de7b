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

Status addLoss(Graph& graph, Loss loss, bool withGradient)
{
    MR_TRY(const TensorId output, graph.port("output"));
    const Shape shape = graph.tensor(output).shape;
    const bool classes = loss == Loss::CrossEntropy;
    Tensor expected;
    expected.name = classes ? "labels" : "targets";
    expected.type = classes ? DType::I32 : DType::F32;
    expected.shape = classes && shape.rank() > 0 ? Shape{shape[0]} : shape;
    expected.role = Role::Input;
    const std::string port = expected.name;
    const TensorId expectedId = graph.addTensor(std::move(expected));
    MR_TRY(const auto outputs, graph.add(classes ? "cross_entropy" : "mse", "loss", {output, expectedId},
                                         {{"gradient", std::int64_t{withGradient}}}));
    graph.ports()[port] = expectedId;
    graph.ports()["loss"] = outputs[0];
    if (classes) graph.ports()["correct"] = outputs[1];
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
            if (!isLoss && !m_gradients[m_operation.outputs[0]]) continue;
            if (!m_wanted[m_operation.outputs[0]]) continue;
            MR_TRY(const graph::OperationKind* kind, graph::findKind(m_operation.kind));
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

Result<Graph> withLoss(Graph forward, Loss loss)
{
    MR_CHECK(addLoss(forward, loss, false));
    return forward;
}

Result<Graph> withGradients(Graph forward, Loss loss)
{
    MR_CHECK(addLoss(forward, loss, true));
    Backward backward(forward);
    MR_CHECK(backward.walk());
    return forward;
}

} // namespace millrace::compile
