#include "tests/kernels/problem.h"

#include "kernels/base/random.h"

#include <algorithm>

namespace millrace::test {

std::vector<Values> drawInputs(const std::vector<Operand>& operands, std::uint64_t seed,
                               const std::vector<std::pair<std::string, Values>>& known)
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
                value = static_cast<float>(random.normal());
                break;
            case Operand::Content::Positive:
                value = static_cast<float>(0.5 + random.uniformDouble());
                break;
            case Operand::Content::Label:
                value = static_cast<double>(random.below(static_cast<std::uint64_t>(operand.classes)));
                break;
            }
        }
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
                                                  const std::vector<Values>& outputs)
{
    std::vector<std::pair<std::string, Values>> result;
    for (std::size_t i = 0; i < inputs.size(); ++i) result.emplace_back(forward.inputs[i].name, inputs[i]);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        Values rounded = outputs[i];
        for (double& value : rounded) value = static_cast<float>(value);
        result.emplace_back(forward.outputs[i].name, std::move(rounded));
    }
    return result;
}

} // namespace millrace::test
