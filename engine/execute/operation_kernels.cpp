#include "engine/execute/operation_kernels.h"

#include "engine/execute/kernels/families.h"
#include "kernels/base/text.h"

namespace millrace::execute {

namespace {

using compile::Mode;
using families::Operand;
using families::Row;

const Row* findRow(std::string_view kind)
{
    using namespace families;
    for (const auto& family : {linear(), convolution(), pooling(), normalization(), elementwise(), reshaping(),
                               losses(), sequence(), recurrent(), arrangement(), reduction()})
        for (const Row& row : family)
            if (row.kind == kind) return &row;
    return nullptr;
}

std::vector<std::optional<graph::TensorId>> resolve(const graph::Operation& operation, Mode mode,
                                                    const std::vector<Operand>& operands)
{
    std::vector<std::optional<graph::TensorId>> ids;
    for (const auto& [source, index] : operands) {
        if (source == Operand::Source::EveryInput || source == Operand::Source::EveryOutput) {
            const auto& all = source == Operand::Source::EveryInput ? operation.inputs : operation.outputs;
            ids.insert(ids.end(), all.begin(), all.end());
            continue;
        }
        const auto& from = source == Operand::Source::Input ? operation.inputs : operation.outputs;
        const bool absent = source == Operand::Source::None || index >= from.size() ||
                            (source == Operand::Source::TrainingOutput && mode == Mode::Inference);
        ids.push_back(absent ? std::nullopt : std::optional(from[index]));
    }
    return ids;
}

} // namespace

Result<PreparedOperation> prepare(const graph::Graph& graph, const graph::Operation& operation, Mode mode,
                                  const kernels::Factory& factory)
{
    if (const Row* row = findRow(operation.kind)) {
        auto kernel = row->make(graph::Site(graph, operation), mode, factory);
        if (!kernel) return std::move(kernel).error().atNode(operation.layer);
        return PreparedOperation{std::move(*kernel), resolve(operation, mode, row->inputs),
                                 resolve(operation, mode, row->outputs)};
    }
    return makeError(Code::Unsupported,
                     str("The operation ", operation.kind, " of layer ", operation.layer, " has no kernel."))
        .atNode(operation.layer);
}

} // namespace millrace::execute
