// Where every tensor lives: lifetimes from the order of the operations, one storage for a tensor and what may share its
// memory, and best-fit placement of the storages, the largest first.
#include "engine/compile/program.h"
#include "engine/graph/operations.h"
#include "kernels/base/checked.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <numeric>

namespace millrace::compile {

namespace {

using graph::Graph;
using graph::Operation;
using graph::Role;
using graph::TensorId;
using Arena = Placement::Arena;

constexpr std::int64_t kAlignment = 64;
/// No arena may be larger: what a 64-bit machine of today can address.
constexpr std::int64_t kLargestArena = std::int64_t{1} << 47;

constexpr std::uint64_t aligned(std::uint64_t bytes)
{
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

Arena arenaOf(Role role)
{
    switch (role) {
    case Role::Parameter:
        return Arena::Parameters;
    case Role::State:
        return Arena::States;
    case Role::Gradient:
        return Arena::Gradients;
    case Role::Mirror:
        return Arena::Mirror;
    case Role::Input:
    case Role::Activation:
        break;
    }
    return Arena::Work;
}

Result<std::uint64_t> sizeOf(const graph::Tensor& tensor)
{
    const auto bytes = checkedMultiply(tensor.shape.elements(), static_cast<std::int64_t>(sizeBytes(tensor.type)));
    if (!bytes || *bytes > kLargestArena)
        return makeError(Code::TooLarge, str("The tensor ", tensor.name, " of ", tensor.shape.toString(),
                                             " needs more memory than a machine can address."))
            .advise("Make the layer or the batch smaller.");
    return static_cast<std::uint64_t>(*bytes);
}

/// Memory that holds one tensor, or several of which each is a view of, or overwrites, one before it.
struct Storage
{
    std::int64_t first = 0, last = 0; // operations by index, both inclusive; -1: before the run
    std::uint64_t sizeBytes = 0, offset = 0;
};

class WorkPlan
{
public:
    WorkPlan(Program& program)
        : m_program(program), m_graph(program.graph), m_storageOf(m_graph.tensors().size(), kNone)
    {
    }

    Status place()
    {
        findLastUses();
        for (TensorId id = 0; id < m_graph.tensors().size(); ++id)
            if (m_graph.tensor(id).role == Role::Input) open(id, -1);
        for (std::size_t i = 0; i < m_graph.operations().size(); ++i) assign(static_cast<std::int64_t>(i));
        for (TensorId id = 0; id < m_graph.tensors().size(); ++id)
            if (inWork(id) && m_storageOf[id] == kNone) open(id, -1); // a port that no operation touches
        MR_CHECK(bestFit());
        for (TensorId id = 0; id < m_graph.tensors().size(); ++id)
            if (inWork(id)) m_program.placements[id].offset = m_storages[m_storageOf[id]].offset;
        return {};
    }

private:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    bool inWork(TensorId id) const { return m_program.placements[id].arena == Arena::Work; }

    /// Inputs and ports live to the end, others to the last operation that reads or writes them.
    void findLastUses()
    {
        const auto& operations = m_graph.operations();
        const auto end = static_cast<std::int64_t>(operations.size());
        m_lastUse.assign(m_graph.tensors().size(), -1);
        for (std::size_t i = 0; i < operations.size(); ++i)
            for (const auto* ids : {&operations[i].inputs, &operations[i].outputs})
                for (const TensorId id : *ids) m_lastUse[id] = static_cast<std::int64_t>(i);
        for (TensorId id = 0; id < m_lastUse.size(); ++id)
            if (m_graph.tensor(id).role == Role::Input) m_lastUse[id] = end;
        for (const auto& [name, id] : m_graph.ports()) m_lastUse[id] = end;
    }

    void open(TensorId id, std::int64_t first)
    {
        m_storageOf[id] = m_storages.size();
        m_storages.push_back({first, m_lastUse[id], aligned(m_program.placements[id].sizeBytes), 0});
    }

    void join(TensorId id, std::size_t storage)
    {
        m_storageOf[id] = storage;
        m_storages[storage].last = std::max(m_storages[storage].last, m_lastUse[id]);
    }

    void assign(std::int64_t index)
    {
        const Operation& operation = m_graph.operations()[static_cast<std::size_t>(index)];
        const auto [taker, shared] = sharedWithInput(operation, index);
        for (std::size_t k = 0; k < operation.outputs.size(); ++k) {
            const TensorId id = operation.outputs[k];
            if (!inWork(id)) continue;
            if (k == taker && shared != kNone)
                join(id, shared);
            else
                open(id, index);
        }
    }

    struct Sharing
    {
        std::size_t output = 0, storage = kNone;
    };

    /// The output that may be a view of an input or overwrite it, and that input's storage; kNone where there is none.
    Sharing sharedWithInput(const Operation& operation, std::int64_t index) const
    {
        const auto kind = graph::findKind(operation.kind);
        if (!kind) return {};
        const bool view = (*kind)->view == graph::View::Always ||
                          ((*kind)->view == graph::View::InInference && m_program.mode == Mode::Inference);
        const std::size_t taker = view ? 0 : (*kind)->overwriter;
        if (taker >= operation.outputs.size() || !inWork(operation.outputs[taker])) return {};
        if (view && inWork(operation.inputs[0])) return {taker, m_storageOf[operation.inputs[0]]};
        const TensorId output = operation.outputs[taker];
        const std::uint64_t needed = aligned(m_program.placements[output].sizeBytes);
        const auto& overwrites = (*kind)->overwrites;
        for (const std::size_t candidate : overwrites) {
            if (candidate >= operation.inputs.size()) continue;
            const TensorId id = operation.inputs[candidate];
            if (!inWork(id) || m_graph.tensor(id).type != m_graph.tensor(output).type) continue;
            const std::size_t storage = m_storageOf[id];
            if (m_storages[storage].last != index || m_storages[storage].sizeBytes != needed) continue;
            // another input in the same memory must be one that may be overwritten too
            bool safe = true;
            for (std::size_t other = 0; other < operation.inputs.size(); ++other)
                safe = safe && (m_storageOf[operation.inputs[other]] != storage ||
                                std::find(overwrites.begin(), overwrites.end(), other) != overwrites.end());
            if (safe) return {taker, storage};
        }
        return {};
    }

    /// Largest first, each into the smallest gap that holds it between those that live at the same time.
    Status bestFit()
    {
        std::vector<std::size_t> order(m_storages.size());
        std::iota(order.begin(), order.end(), 0u);
        std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            return m_storages[a].sizeBytes > m_storages[b].sizeBytes;
        });
        std::vector<std::size_t> placed; // by offset
        for (const std::size_t index : order) {
            Storage& storage = m_storages[index];
            storage.offset = bestGap(storage, placed);
            const std::uint64_t end = storage.offset + storage.sizeBytes;
            if (end > static_cast<std::uint64_t>(kLargestArena))
                return makeError(Code::TooLarge, "The model needs more memory than a machine can address.")
                    .advise("Make the layers or the batch smaller.");
            m_program.workBytes = std::max(m_program.workBytes, end);
            placed.insert(std::upper_bound(placed.begin(), placed.end(), index,
                                           [&](std::size_t a, std::size_t b) {
                                               return m_storages[a].offset < m_storages[b].offset;
                                           }),
                          index);
        }
        return {};
    }

    std::uint64_t bestGap(const Storage& storage, const std::vector<std::size_t>& placed) const
    {
        std::uint64_t best = 0, bestSize = 0, end = 0; // end: of what lives at the same time, below the gap
        bool found = false;
        for (const std::size_t index : placed) {
            const Storage& other = m_storages[index];
            if (other.last < storage.first || storage.last < other.first) continue;
            const std::uint64_t gap = other.offset > end ? other.offset - end : 0;
            if (gap >= storage.sizeBytes && (!found || gap < bestSize)) {
                best = end;
                bestSize = gap;
                found = true;
            }
            end = std::max(end, other.offset + other.sizeBytes);
        }
        return found ? best : end;
    }

    Program& m_program;
    const Graph& m_graph;
    std::vector<std::size_t> m_storageOf; // by tensor
    std::vector<std::int64_t> m_lastUse;  // by tensor
    std::vector<Storage> m_storages;
};

/// Lays the tensors of one arena one after the other in the graph's order; returns the arena's size.
std::uint64_t layInOrder(Program& program, Arena arena)
{
    std::uint64_t end = 0;
    for (Placement& placement : program.placements) {
        if (placement.arena != arena) continue;
        placement.offset = end;
        end += aligned(placement.sizeBytes);
    }
    return end;
}

/// Every gradient at its parameter's offset. Returns the arena's size: that of the parameters where there are
/// gradients.
std::uint64_t layGradients(Program& program)
{
    bool any = false;
    for (TensorId id = 0; id < program.placements.size(); ++id) {
        const auto port = program.graph.ports().find("gradient/" + program.graph.tensor(id).name);
        if (program.graph.tensor(id).role != Role::Parameter || port == program.graph.ports().end()) continue;
        program.placements[port->second].offset = program.placements[id].offset;
        any = true;
    }
    return any ? program.parameterBytes : 0;
}

/// Every mirror as many elements from its arena's start as its parameter is from that of its own. Returns the arena's
/// size.
std::uint64_t layMirrors(Program& program)
{
    const auto scaled = [](std::uint64_t bytes, DType type) { return bytes / sizeBytes(DType::F32) * sizeBytes(type); };
    std::uint64_t size = 0;
    for (TensorId id = 0; id < program.placements.size(); ++id) {
        const graph::Tensor& tensor = program.graph.tensor(id);
        if (tensor.role != Role::Mirror) continue;
        program.placements[id].offset = scaled(program.placements[*tensor.origin].offset, tensor.type);
        size = scaled(program.parameterBytes, tensor.type);
    }
    return size;
}

} // namespace

Result<Program> plan(Graph graph, Mode mode)
{
    Program program;
    program.graph = std::move(graph);
    program.mode = mode;
    program.placements.resize(program.graph.tensors().size());
    std::int64_t total = 0;
    for (TensorId id = 0; id < program.placements.size(); ++id) {
        const graph::Tensor& tensor = program.graph.tensor(id);
        if (mode == Mode::Inference && tensor.role == Role::Gradient)
            return makeError(Code::InvalidArgument,
                             "A graph with gradients is planned for training, not for inference.");
        MR_TRY(program.placements[id].sizeBytes, sizeOf(tensor));
        program.placements[id].arena = arenaOf(tensor.role);
        if (tensor.role != Role::Parameter && tensor.role != Role::State) continue;
        total += static_cast<std::int64_t>(aligned(program.placements[id].sizeBytes));
        if (total > kLargestArena)
            return makeError(Code::TooLarge, str("The parameters up to ", tensor.name,
                                                 " need more memory than a machine can address."));
    }
    program.parameterBytes = layInOrder(program, Arena::Parameters);
    program.stateBytes = layInOrder(program, Arena::States);
    program.gradientBytes = layGradients(program);
    program.mirrorBytes = layMirrors(program);
    WorkPlan work(program);
    MR_CHECK(work.place());
    return program;
}

} // namespace millrace::compile
