#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "tests/kernels/modes.h"

#include <algorithm>
#include <cmath>

namespace millrace::test {

namespace {

constexpr double kTolerance = 1e-6;
constexpr double kStepSize = 1e-5;
constexpr std::size_t kSamples = 40; ///< elements of each input that are moved

/// The scalar whose gradient is checked: the first output weighted by dy.
double objective(const Function& forward, const std::vector<Values>& inputs, const Values& dy)
{
    std::vector<Values> outputs = emptyOutputs(forward.outputs);
    forward.reference(inputs, outputs);
    double sum = 0;
    for (std::size_t i = 0; i < dy.size(); ++i) sum += outputs[0][i] * dy[i];
    return sum;
}

std::string check(const Function& forward, std::vector<Values> inputs, const Values& dy, std::size_t input,
                  const Values& gradient)
{
    Values& values = inputs[input];
    double difference = 0, norm = 0;
    Random random(kSeed, streamOf("samples"));
    for (std::size_t sample = 0; sample < std::min(kSamples, values.size()); ++sample) {
        const std::size_t i = values.size() <= kSamples ? sample : random.below(values.size());
        const double before = values[i];
        values[i] = before + kStepSize;
        const double above = objective(forward, inputs, dy);
        values[i] = before - kStepSize;
        const double below = objective(forward, inputs, dy);
        values[i] = before;
        const double numeric = (above - below) / (2 * kStepSize);
        difference += (gradient[i] - numeric) * (gradient[i] - numeric);
        norm += numeric * numeric;
    }
    const double error = std::sqrt(norm > 0 ? difference / norm : difference);
    if (error <= kTolerance) return {};
    return str("the gradient of ", forward.inputs[input].name, " is off by ", significant(error, 3), " of its norm");
}

} // namespace

bool isSmall(const Problem& problem)
{
    return problem.forward.flops <= 1e5;
}

std::string compareWithDifferences(const Problem& problem)
{
    const Function& forward = problem.forward;
    const std::vector<Values> inputs = drawInputs(forward.inputs, kSeed);
    std::vector<Values> outputs = emptyOutputs(forward.outputs);
    forward.reference(inputs, outputs);

    // a loss gives its gradient itself, of the loss times one
    Values dy(outputs[0].size(), 1);
    const Function& source = problem.backward ? *problem.backward : forward;
    std::vector<Values> gradients = outputs;
    if (problem.backward) {
        auto known = named(forward, inputs, {});
        for (std::size_t i = 0; i < outputs.size(); ++i) known.emplace_back(forward.outputs[i].name, outputs[i]);
        const std::vector<Values> gradientInputs = drawInputs(source.inputs, kSeed + 1, known);
        const auto upstream = std::ranges::find(source.inputs, "d" + forward.outputs[0].name, &Operand::name);
        dy = gradientInputs[static_cast<std::size_t>(upstream - source.inputs.begin())];
        gradients = emptyOutputs(source.outputs);
        source.reference(gradientInputs, gradients);
    }
    for (std::size_t g = 0; g < gradients.size(); ++g) {
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            if (source.outputs[g].name != "d" + forward.inputs[i].name) continue;
            if (std::string fault = check(forward, inputs, dy, i, gradients[g]); !fault.empty()) return fault;
        }
    }
    return {};
}

} // namespace millrace::test
