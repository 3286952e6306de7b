#include "tests/kernels/problem.h"

#include "kernels/base/random.h"

#include <algorithm>

namespace millrace::test {

namespace {

Values rounded(const Values& values, DType type)
{
    Values result(values.size());
    const kernels::Cast cast{static_cast<std::int64_t>(values.size()), DType::F64, type};
    kernels::reference::cast(cast, {&values, 1}, {&result, 1});
    return result;
}

} // namespace

std::vector<Values> drawInputs(const std::vector<Operand>& operands, std::uint64_t seed,
                               const std::vector<std::pair<std::string, Values>>& known, DType storage)
{
    std::vector<Values> result;
    for (const Operand& operand : operands) {
        const auto it = std::ranges::find(known, operand.name, &std::pair<std::string, Values>::first);
        if (it != known.end()) {
            result.push_back(it->second);
            continue;
        }
        Random random(seed, streamOf(operand.name));
        Values& values = result.emplace_back(static_cast<std::size_t>(operand.elements));
        for (double& value : values) {
            switch (operand.content) {
            case Operand::Content::Normal:
                value = random.normal();
                break;
            case Operand::Content::Positive:
                value = 0.5 + random.uniformDouble();
                break;
            case Operand::Content::Label:
                value = static_cast<double>(random.below(static_cast<std::uint64_t>(operand.classes)));
                break;
            }
        }
        if (operand.content != Operand::Content::Label) values = rounded(values, typeOf(operand, storage));
    }
    return result;
}

std::vector<Values> emptyOutputs(const std::vector<Operand>& operands)
{
    std::vector<Values> result;
    for (const Operand& operand : operands) result.emplace_back(static_cast<std::size_t>(operand.elements));
    return result;
}

std::vector<std::pair<std::string, Values>> named(const Function& forward, const std::vector<Values>& inputs,
                                                  const std::vector<Values>& outputs, DType storage)
{
    std::vector<std::pair<std::string, Values>> result;
    for (std::size_t i = 0; i < inputs.size(); ++i) result.emplace_back(forward.inputs[i].name, inputs[i]);
    for (std::size_t i = 0; i < outputs.size(); ++i)
        result.emplace_back(forward.outputs[i].name, rounded(outputs[i], typeOf(forward.outputs[i], storage)));
    return result;
}

} // namespace millrace::test
