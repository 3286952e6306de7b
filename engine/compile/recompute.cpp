// Recompute: what a block of layers computes for itself alone is not kept for its gradients but computed again just
// before them.
#include "engine/compile/program.h"
#include "engine/graph/operations.h"

#include <algorithm>
#include <optional>

namespace millrace::compile {

namespace {

using graph::Graph;
using graph::Operation;
using graph::Role;
using graph::Tensor;
using graph::TensorId;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// "block1" of the layer "block1.norm1"; empty for a layer of no block.
std::string_view blockOf(const Operation& operation)
{
    const std::string_view layer = operation.layer;
    const std::size_t dot = layer.rfind('.');
    return dot == std::string_view::npos ? std::string_view() : layer.substr(0, dot);
}

/// Writes a graph anew, with operations in between that compute once more.
class Rewriting
{
public:
    explicit Rewriting(const Graph& old)
        : m_old(old), m_new(old.tensors().size()), m_producer(old.tensors().size(), kNone),
          m_leavesBlock(old.tensors().size(), false)
    {
        const auto& operations = old.operations();
        m_loss = static_cast<std::size_t>(std::find_if(operations.begin(), operations.end(),
                                                       [&](const Operation& operation) {
                                                           const auto port = old.ports().find("loss");
                                                           return port != old.ports().end() &&
                                                                  operation.outputs[0] == port->second;
                                                       }) -
                                          operations.begin());
        for (std::size_t i = 0; i < operations.size(); ++i)
            for (const TensorId id : operations[i].outputs) m_producer[id] = i;
        // what another block's forward pass, or the outside, reads is kept
        for (std::size_t i = 0; i < m_loss; ++i)
            for (const TensorId id : operations[i].inputs)
                if (m_producer[id] != kNone && blockOf(operations[m_producer[id]]) != blockOf(operations[i]))
                    m_leavesBlock[id] = true;
        for (const auto& [name, id] : old.ports()) m_leavesBlock[id] = true;
    }

    Result<Graph> run()
    {
        for (TensorId id = 0; id < m_new.size(); ++id)
            if (m_producer[id] == kNone) m_new[id] = m_graph.addTensor(m_old.tensor(id));
        const auto& operations = m_old.operations();
        for (std::size_t i = 0; i < operations.size(); ++i) {
            if (i > m_loss) MR_CHECK(enterBlock(blockOf(operations[i])));
            MR_CHECK(copy(operations[i]));
        }
        for (const auto& [name, id] : m_old.ports()) m_graph.ports()[name] = *m_new[id];
        return std::move(m_graph);
    }

private:
    /// The gradients of a block begin: from here on they read what is computed once more.
    Status enterBlock(std::string_view block)
    {
        if (block == m_block) return {};
        m_block = block;
        m_again.clear();
        return {};
    }

    /// Whether the tensor is to be computed again where the gradients of its block read it.
    bool isDropped(TensorId id) const
    {
        const std::size_t producer = m_producer[id];
        return !m_block.empty() && producer < m_loss && !m_leavesBlock[id] &&
               blockOf(m_old.operations()[producer]) == m_block;
    }

    /// The tensor as the gradients of the present block read it.
    Result<TensorId> forGradients(TensorId id)
    {
        if (!isDropped(id)) return *m_new[id];
        if (const auto known = m_again.find(id); known != m_again.end()) return known->second;
        Operation operation = m_old.operations()[m_producer[id]];
        std::vector<TensorId> inputs;
        for (const TensorId input : operation.inputs) {
            MR_TRY(inputs.emplace_back(), forGradients(input));
        }
        // the running statistics have taken this batch in already
        if (operation.kind == "batch_norm") operation.attributes["momentum"] = 0.0;
        MR_TRY(const auto outputs,
               m_graph.add(operation.kind, operation.layer, std::move(inputs), operation.attributes));
        for (std::size_t k = 0; k < outputs.size(); ++k) m_again[operation.outputs[k]] = outputs[k];
        return outputs[static_cast<std::size_t>(std::find(operation.outputs.begin(), operation.outputs.end(), id) -
                                                operation.outputs.begin())];
    }

    Status copy(const Operation& operation)
    {
        std::vector<TensorId> inputs;
        for (const TensorId id : operation.inputs) {
            MR_TRY(inputs.emplace_back(), forGradients(id));
        }
        MR_TRY(const auto outputs,
               m_graph.add(operation.kind, operation.layer, std::move(inputs), operation.attributes));
        for (std::size_t k = 0; k < outputs.size(); ++k) {
            m_new[operation.outputs[k]] = outputs[k];
            m_graph.tensor(outputs[k]).role = m_old.tensor(operation.outputs[k]).role;
        }
        return {};
    }

    const Graph& m_old;
    Graph m_graph;
    std::size_t m_loss = 0;                     ///< index of the loss; what comes after it carries gradients
    std::vector<std::optional<TensorId>> m_new; ///< by old tensor
    std::vector<std::size_t> m_producer;        ///< by old tensor: the operation that computes it
    std::vector<bool> m_leavesBlock;            ///< by old tensor
    std::string m_block;                        ///< whose gradients are being written
    std::map<TensorId, TensorId> m_again;       ///< by old tensor: what was computed once more for that block
};

} // namespace

Result<Graph> withRecompute(const Graph& graph)
{
    return Rewriting(graph).run();
}

} // namespace millrace::compile
