#include "tests/compile/plan_verifier.h"

#include "engine/graph/operations.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <set>

namespace millrace::compile {

namespace {

using graph::Operation;
using graph::Role;
using graph::TensorId;

class Replay
{
public:
    explicit Replay(const Program& program)
        : m_program(program), m_blocks(program.workBytes / 64, kNobody), m_valueOf(program.placements.size())
    {
        for (std::size_t id = 0; id < m_valueOf.size(); ++id) m_valueOf[id] = static_cast<int>(id);
    }

    std::string run()
    {
        for (TensorId id = 0; id < m_valueOf.size(); ++id)
            if (const std::string wrong = place(id); !wrong.empty()) return wrong;
        for (TensorId id = 0; id < m_valueOf.size(); ++id)
            if (m_program.graph.tensor(id).role == Role::Input) write(id);
        for (const Operation& operation : m_program.graph.operations())
            if (const std::string wrong = execute(operation); !wrong.empty()) return wrong;
        for (TensorId id = 0; id < m_valueOf.size(); ++id)
            if (m_program.graph.tensor(id).role == Role::Input && !holds(id))
                return str("input ", name(id), " was overwritten");
        for (const auto& [port, id] : m_program.graph.ports())
            if (inWork(id) && !holds(id)) return str("port ", port, " was overwritten");
        return {};
    }

private:
    static constexpr int kNobody = -1;

    const std::string& name(TensorId id) const { return m_program.graph.tensor(id).name; }
    DType typeOf(TensorId id) const { return m_program.graph.tensor(id).type; }
    const Placement& at(TensorId id) const { return m_program.placements[id]; }
    bool inWork(TensorId id) const { return at(id).arena == Placement::Arena::Work; }
    std::size_t begin(TensorId id) const { return at(id).offset / 64; }
    std::size_t end(TensorId id) const { return (at(id).offset + at(id).sizeBytes + 63) / 64; }
    bool overlap(TensorId a, TensorId b) const
    {
        return inWork(a) && inWork(b) && begin(a) < end(b) && begin(b) < end(a);
    }

    std::string place(TensorId id) const
    {
        const auto& tensor = m_program.graph.tensor(id);
        if (at(id).offset % (tensor.role == Role::Mirror ? 32 : 64) != 0) return str(name(id), " is not aligned");
        if (at(id).sizeBytes != static_cast<std::uint64_t>(tensor.shape.elements()) * sizeBytes(tensor.type))
            return str(name(id), " has the wrong size");
        const std::uint64_t arena[] = {m_program.parameterBytes, m_program.gradientBytes, m_program.stateBytes,
                                       m_program.workBytes, m_program.mirrorBytes};
        if (at(id).offset + at(id).sizeBytes > arena[static_cast<std::size_t>(at(id).arena)])
            return str(name(id), " lies outside its arena");
        if (tensor.role != Role::Mirror) return {};
        const TensorId parameter = *tensor.origin;
        if (m_program.graph.tensor(parameter).role != Role::Parameter ||
            m_program.graph.tensor(parameter).shape != tensor.shape ||
            at(id).offset * sizeBytes(DType::F32) != at(parameter).offset * sizeBytes(tensor.type))
            return str(name(id), " does not mirror ", name(parameter));
        return {};
    }

    void write(TensorId id)
    {
        if (inWork(id))
            for (std::size_t i = begin(id); i < end(id); ++i) m_blocks[i] = m_valueOf[id];
    }

    bool holds(TensorId id) const
    {
        return std::all_of(m_blocks.begin() + static_cast<std::ptrdiff_t>(begin(id)),
                           m_blocks.begin() + static_cast<std::ptrdiff_t>(end(id)),
                           [&](int owner) { return owner == m_valueOf[id]; });
    }

    std::string execute(const Operation& operation)
    {
        const graph::OperationKind& kind = **graph::findKind(operation.kind);
        const bool view = kind.view == graph::View::Always ||
                          (kind.view == graph::View::InInference && m_program.mode == Mode::Inference);
        for (const TensorId id : operation.inputs)
            if (inWork(id) && !holds(id)) return str(operation.layer, " reads ", name(id), ", which is gone");
        for (std::size_t k = 0; k < operation.outputs.size(); ++k) {
            const TensorId output = operation.outputs[k];
            for (std::size_t other = 0; other < k; ++other)
                if (overlap(output, operation.outputs[other]))
                    return str(operation.layer, " writes two tensors to one place");
            for (std::size_t i = 0; i < operation.inputs.size(); ++i) {
                if (!overlap(output, operation.inputs[i])) continue;
                const bool same = at(output).offset == at(operation.inputs[i]).offset &&
                                  at(output).sizeBytes == at(operation.inputs[i]).sizeBytes &&
                                  typeOf(output) == typeOf(operation.inputs[i]);
                const bool allowed =
                    view ? i == 0
                         : std::find(kind.overwrites.begin(), kind.overwrites.end(), i) != kind.overwrites.end();
                if (k != (view ? 0 : kind.overwriter) || !same || !allowed)
                    return str(operation.layer, " writes ", name(output), " over its input ",
                               name(operation.inputs[i]));
            }
        }
        for (std::size_t k = 0; k < operation.outputs.size(); ++k) {
            const bool isView = view && k == 0 && overlap(operation.outputs[0], operation.inputs[0]);
            if (isView) m_valueOf[operation.outputs[0]] = m_valueOf[operation.inputs[0]];
            if (!isView) write(operation.outputs[k]);
        }
        return {};
    }

    const Program& m_program;
    std::vector<int> m_blocks;  // whose values each block of the Work arena holds
    std::vector<int> m_valueOf; // by tensor; a view has its origin's
};

} // namespace

std::string whatIsWrong(const Program& program)
{
    return Replay(program).run();
}

std::uint64_t liveBytes(const Program& program)
{
    const auto& operations = program.graph.operations();
    const std::size_t count = program.placements.size();
    std::vector<std::size_t> first(count, operations.size()), last(count, 0);
    for (std::size_t i = 0; i < operations.size(); ++i)
        for (const auto* ids : {&operations[i].inputs, &operations[i].outputs})
            for (const TensorId id : *ids) {
                first[id] = std::min(first[id], i);
                last[id] = i;
            }
    for (const auto& [port, id] : program.graph.ports()) last[id] = operations.size();
    for (TensorId id = 0; id < count; ++id)
        if (program.graph.tensor(id).role == Role::Input) {
            first[id] = 0;
            last[id] = operations.size();
        }
    std::uint64_t most = 0;
    for (std::size_t i = 0; i < operations.size(); ++i) {
        std::set<std::pair<std::uint64_t, std::uint64_t>> places; // what shares memory counts once
        for (TensorId id = 0; id < count; ++id)
            if (program.placements[id].arena == Placement::Arena::Work && first[id] <= i && i <= last[id])
                places.emplace(program.placements[id].offset, (program.placements[id].sizeBytes + 63) / 64 * 64);
        std::uint64_t bytes = 0;
        for (const auto& [offset, size] : places) bytes += size;
        most = std::max(most, bytes);
    }
    return most;
}

} // namespace millrace::compile
