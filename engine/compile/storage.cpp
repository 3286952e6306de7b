// Storage types: the graph written anew, operation by operation, with a cast wherever a tensor is read in another type
// than it has.
#include "engine/compile/storage.h"

#include "engine/graph/operations.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <set>

namespace millrace::compile {

namespace {

using graph::Graph;
using graph::Operation;
using graph::OperationKind;
using graph::Role;
using graph::Tensor;
using graph::TensorId;

const graph::InputRow& rowOf(const OperationKind& kind, std::size_t input)
{
    return kind.inputs[std::min(input, kind.inputs.size() - 1)];
}

class Storing
{
public:
    Storing(const Graph& old, DType type) : m_old(old), m_type(type), m_new(old.tensors().size()) {}

    Result<Graph> run()
    {
        MR_CHECK(copySources());
        for (const Operation& operation : m_old.operations()) MR_CHECK(copy(operation));
        for (const auto& [name, id] : m_old.ports()) {
            const bool computed = m_old.tensor(id).role == Role::Activation || m_old.tensor(id).role == Role::Gradient;
            MR_TRY(m_graph.ports()[name], computed ? as(m_new[id], m_old.tensor(id).type, name) : m_new[id]);
        }
        return std::move(m_graph);
    }

private:
    /// What no operation computes, in its order; states that stored operations carry on are stored.
    Status copySources()
    {
        std::vector<bool> computed(m_new.size(), false), stored(m_new.size(), false);
        for (const Operation& operation : m_old.operations()) {
            MR_TRY(const OperationKind* kind, graph::findKind(operation.kind));
            for (const TensorId id : operation.outputs) computed[id] = true;
            for (std::size_t i = 0; i < operation.inputs.size() && !kind->f32Alone; ++i)
                if (!rowOf(*kind, i).type) stored[operation.inputs[i]] = true;
        }
        for (TensorId id = 0; id < m_new.size(); ++id) {
            Tensor tensor = m_old.tensor(id);
            if (tensor.type == DType::BF16 || tensor.type == DType::F16)
                return makeError(Code::InvalidArgument,
                                 str("The tensor ", tensor.name, " is ", name(tensor.type), " already."));
            if (computed[id]) continue;
            if (tensor.role == Role::State && stored[id]) tensor.type = m_type;
            m_new[id] = m_graph.addTensor(std::move(tensor));
        }
        return {};
    }

    Status copy(const Operation& operation)
    {
        MR_TRY(const OperationKind* kind, graph::findKind(operation.kind));
        const bool inF32 = kind->f32Alone || readsKept(operation, *kind);
        std::vector<TensorId> inputs;
        for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
            const DType type = rowOf(*kind, i).type.value_or(inF32 ? DType::F32 : m_type);
            MR_TRY(inputs.emplace_back(), as(m_new[operation.inputs[i]], type, operation.layer));
        }
        MR_TRY(const auto outputs,
               m_graph.add(operation.kind, operation.layer, std::move(inputs), operation.attributes));
        MR_TRY(const auto types, kind->shape(graph::Site(m_graph, m_graph.operations().back())));
        for (std::size_t k = 0; k < outputs.size(); ++k) {
            m_new[operation.outputs[k]] = outputs[k];
            if (types[k].type || (inF32 && !kind->f32Alone)) m_kept.insert(outputs[k]);
            if (m_old.tensor(operation.outputs[k]).role != Role::Gradient) continue;
            MR_TRY(const TensorId gradient, as(outputs[k], DType::F32, operation.layer));
            m_graph.tensor(gradient).role = Role::Gradient;
        }
        return {};
    }

    /// Whether the operation reads where it could read stored tensors one that is f32 whatever the storage type is: a
    /// parameter's gradient, of which it computes another one (the sum of two, a copy).
    bool readsKept(const Operation& operation, const OperationKind& kind) const
    {
        for (std::size_t i = 0; i < operation.inputs.size(); ++i)
            if (!rowOf(kind, i).type && m_kept.contains(m_new[operation.inputs[i]])) return true;
        return false;
    }

    /// The tensor in that type: itself, a parameter's mirror, or a cast of it, made once, in the name of `layer`.
    Result<TensorId> as(TensorId id, DType type, const std::string& layer)
    {
        const Tensor tensor = m_graph.tensor(id);
        if (tensor.type == type || tensor.type == DType::I32) return id;
        const auto [found, isNew] = m_copies.try_emplace({id, type});
        if (!isNew) return found->second;
        if (tensor.role == Role::Parameter) {
            Tensor mirror;
            mirror.name = str(tensor.name, ".", name(type));
            mirror.type = type;
            mirror.shape = tensor.shape;
            mirror.role = Role::Mirror;
            mirror.origin = id;
            found->second = m_graph.addTensor(std::move(mirror));
        } else {
            MR_TRY(const auto outputs, m_graph.add("cast", layer, {id}, {{"to", std::string(name(type))}}));
            found->second = outputs[0];
        }
        return found->second;
    }

    const Graph& m_old;
    const DType m_type;
    Graph m_graph;
    std::vector<TensorId> m_new;                             ///< by old tensor
    std::map<std::pair<TensorId, DType>, TensorId> m_copies; ///< mirrors and casts, by new tensor and type
    std::set<TensorId> m_kept;                               ///< new tensors that are f32 whatever the storage type is
};

} // namespace

Result<Graph> withStorage(const Graph& graph, DType type)
{
    if (type != DType::BF16 && type != DType::F16)
        return makeError(Code::InvalidArgument,
                         str("Activations can be stored as bf16 or f16, not as ", name(type), "."));
    return Storing(graph, type).run();
}

} // namespace millrace::compile
