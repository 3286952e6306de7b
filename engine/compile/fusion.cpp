// Fusion: neighbouring operations that match a pattern give way to one that does the work of all. The graph's
// operations lie in slots; a fused one takes the slot of one of its parts, the others become empty, and at the end the
// graph is written anew from the slots.
#include "engine/compile/fusion.h"

#include "engine/graph/operations.h"

#include <algorithm>
#include <functional>
#include <optional>

namespace millrace::compile {

namespace {

using graph::Graph;
using graph::Operation;
using graph::TensorId;

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

class Fusing
{
public:
    explicit Fusing(const Graph& old)
        : m_old(old), m_slots(old.operations().begin(), old.operations().end()), m_isPort(old.tensors().size(), false)
    {
        for (const auto& [name, id] : old.ports()) m_isPort[id] = true;
        index();
    }

    Result<Graph> run()
    {
        for (std::size_t i = 0; i < m_slots.size(); ++i) {
            if (!m_slots[i] || !at(i).text("activation").empty()) continue; // empty, or fused already
            const std::string kind = at(i).kind;
            if (kind == "dense") denseActivation(i);
            if (kind == "dense_backward_data") denseBackwardActivation(i);
            if (kind == "batch_norm") batchNormActivation(i);
            if (kind == "relu_backward") batchNormBackwardActivation(i);
            if (kind == "layer_norm") addLayerNorm(i);
            if (kind == "layer_norm_backward") layerNormBackwardAdd(i);
        }
        return written();
    }

private:
    const Operation& at(std::size_t slot) const { return *m_slots[slot]; }
    const std::vector<std::size_t>& readersOf(TensorId id) const { return m_readers[id]; }

    /// Who computes and who reads each tensor, by slot.
    void index()
    {
        m_producer.assign(m_isPort.size(), kNone);
        m_readers.assign(m_isPort.size(), {});
        for (std::size_t i = 0; i < m_slots.size(); ++i) {
            if (!m_slots[i]) continue;
            for (const TensorId id : at(i).outputs) m_producer[id] = i;
            for (const TensorId id : at(i).inputs) m_readers[id].push_back(i);
        }
    }

    /// The first reader of the tensor that is of that kind and reads it as input `input`; kNone where there is none.
    std::size_t reader(TensorId id, std::string_view kind, std::size_t input = 0) const
    {
        const auto& all = readersOf(id);
        const auto found =
            std::ranges::find_if(all, [&](std::size_t i) { return at(i).kind == kind && at(i).inputs[input] == id; });
        return found == all.end() ? kNone : *found;
    }

    /// The only reader of the tensor, where it is of that kind and the tensor is no port; else kNone.
    std::size_t onlyReader(TensorId id, std::string_view kind) const
    {
        if (m_isPort[id] || readersOf(id).size() != 1) return kNone;
        const std::size_t one = readersOf(id).front();
        return at(one).kind == kind ? one : kNone;
    }

    /// Puts the operation in the place of its parts: in the last of their slots where its inputs are computed before
    /// and its outputs read after it. Does nothing where there is no such slot, or where a part feeds the fused
    /// operation.
    void fuse(std::vector<std::size_t> parts, Operation fused)
    {
        std::ranges::sort(parts, std::greater<>());
        const auto isPart = [&](std::size_t slot) { return std::ranges::find(parts, slot) != parts.end(); };
        const auto fits = [&](std::size_t slot) {
            for (const TensorId id : fused.inputs)
                if (m_producer[id] != kNone && (m_producer[id] >= slot || isPart(m_producer[id]))) return false;
            for (const TensorId id : fused.outputs)
                for (const std::size_t one : readersOf(id))
                    if (!isPart(one) && one <= slot) return false;
            return true;
        };
        const auto slot = std::ranges::find_if(parts, fits);
        if (slot == parts.end()) return;
        for (const std::size_t part : parts) m_slots[part].reset();
        m_slots[*slot] = std::move(fused);
        index();
    }

    /// What an activation is called as part of another operation; empty for those that are none.
    static std::string nameOf(const Operation& activation)
    {
        if (activation.kind.starts_with("relu")) return "relu";
        return activation.text("approximate") == "tanh" ? "gelu_tanh" : "";
    }

    void denseActivation(std::size_t dense)
    {
        const TensorId z = at(dense).outputs[0];
        std::size_t activation = onlyReader(z, "relu");
        if (activation == kNone) activation = reader(z, "gelu");
        if (activation == kNone || nameOf(at(activation)).empty()) return;
        Operation fused = at(dense);
        fused.attributes["activation"] = nameOf(at(activation));
        fused.outputs[0] = at(activation).outputs[0];
        if (readersOf(z).size() > 1 || m_isPort[z]) {
            fused.attributes["aux"] = std::int64_t{1};
            fused.outputs.push_back(z);
        }
        fuse({dense, activation}, std::move(fused));
    }

    void denseBackwardActivation(std::size_t dense)
    {
        const TensorId dx = at(dense).outputs[0];
        std::size_t activation = onlyReader(dx, "relu_backward");
        if (activation == kNone) activation = onlyReader(dx, "gelu_backward");
        if (activation == kNone || nameOf(at(activation)).empty() || at(activation).inputs[1] != dx) return;
        Operation fused = at(dense);
        fused.attributes["activation"] = nameOf(at(activation));
        fused.inputs.push_back(at(activation).inputs[0]);
        fused.outputs = at(activation).outputs;
        fuse({dense, activation}, std::move(fused));
    }

    void batchNormActivation(std::size_t norm)
    {
        Operation fused = at(norm);
        std::vector<std::size_t> parts{norm};
        std::size_t last = norm;
        if (const std::size_t add = onlyReader(fused.outputs[0], "add"); add != kNone) {
            const auto& inputs = at(add).inputs;
            fused.inputs.push_back(inputs[0] == fused.outputs[0] ? inputs[1] : inputs[0]);
            parts.push_back(last = add);
        }
        const std::size_t relu = onlyReader(at(last).outputs[0], "relu");
        if (relu == kNone) return;
        parts.push_back(relu);
        fused.attributes["activation"] = std::string("relu");
        fused.outputs[0] = at(relu).outputs[0];
        fuse(std::move(parts), std::move(fused));
    }

    void batchNormBackwardActivation(std::size_t relu)
    {
        const TensorId dy = at(relu).outputs[0];
        const std::size_t norm = reader(dy, "batch_norm_backward", 4);
        if (norm == kNone || at(norm).inputs.size() != 5) return;
        Operation fused = at(norm);
        fused.attributes["activation"] = std::string("relu");
        fused.inputs[4] = at(relu).inputs[1];
        fused.inputs.push_back(at(relu).inputs[0]);
        if (readersOf(dy).size() > 1 || m_isPort[dy]) {
            fused.attributes["addend"] = std::int64_t{1};
            fused.outputs.push_back(dy);
        }
        fuse({relu, norm}, std::move(fused));
    }

    void addLayerNorm(std::size_t norm)
    {
        const std::size_t add = m_producer[at(norm).inputs[0]];
        if (add == kNone || at(add).kind != "add") return;
        Operation fused = at(norm);
        fused.kind = "add_layer_norm";
        fused.inputs = at(add).inputs;
        fused.inputs.insert(fused.inputs.end(), at(norm).inputs.begin() + 1, at(norm).inputs.end());
        fused.outputs.insert(fused.outputs.begin(), at(add).outputs[0]);
        fuse({add, norm}, std::move(fused));
    }

    void layerNormBackwardAdd(std::size_t norm)
    {
        const TensorId dx = at(norm).outputs[0];
        const std::size_t add = onlyReader(dx, "add");
        if (add == kNone || at(norm).inputs.size() != 5) return;
        Operation fused = at(norm);
        fused.inputs.push_back(at(add).inputs[at(add).inputs[0] == dx ? 1 : 0]);
        fused.outputs[0] = at(add).outputs[0];
        fuse({norm, add}, std::move(fused));
    }

    Result<Graph> written() const
    {
        Graph graph;
        std::vector<std::optional<TensorId>> ids(m_isPort.size());
        std::vector<bool> computed(m_isPort.size(), false);
        for (const Operation& operation : m_old.operations())
            for (const TensorId id : operation.outputs) computed[id] = true;
        for (TensorId id = 0; id < ids.size(); ++id)
            if (!computed[id]) ids[id] = graph.addTensor(m_old.tensor(id));
        for (const auto& operation : m_slots) {
            if (!operation) continue;
            std::vector<TensorId> inputs;
            for (const TensorId id : operation->inputs) inputs.push_back(*ids[id]);
            MR_TRY(const auto outputs,
                   graph.add(operation->kind, operation->layer, std::move(inputs), operation->attributes));
            for (std::size_t k = 0; k < outputs.size(); ++k) {
                ids[operation->outputs[k]] = outputs[k];
                graph.tensor(outputs[k]).role = m_old.tensor(operation->outputs[k]).role;
            }
        }
        for (const auto& [name, id] : m_old.ports()) graph.ports()[name] = *ids[id];
        return graph;
    }

    const Graph& m_old;
    std::vector<std::optional<Operation>> m_slots;   ///< by the old operation's index; nothing: fused into another one
    std::vector<bool> m_isPort;                      ///< by old tensor, as the two below
    std::vector<std::size_t> m_producer;             ///< a slot, or kNone
    std::vector<std::vector<std::size_t>> m_readers; ///< slots; one that reads a tensor twice is there twice
};

} // namespace

Result<Graph> withFusion(const Graph& graph)
{
    return Fusing(graph).run();
}

} // namespace millrace::compile
