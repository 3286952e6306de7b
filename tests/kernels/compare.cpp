#include "kernels/base/text.h"
#include "kernels/cpu/factory.h"
#include "tests/kernels/memory.h"
#include "tests/kernels/modes.h"

#include <cmath>

namespace millrace::test {

namespace {

/// How a call deviates from the plain one.
struct Variant
{
    std::string name;
    std::byte poison{0xFF};                                        ///< as f32 a NaN
    std::optional<std::pair<std::size_t, std::size_t>> alias = {}; ///< output and input in the same memory
    std::optional<std::size_t> unwanted = {};                      ///< an output that is null
};

struct Outcome
{
    std::vector<GuardedMemory> outputs;
    std::string fault;
};

Outcome call(kernels::Kernel& kernel, const Function& function, const std::vector<Values>& inputs,
             const Variant& variant)
{
    std::vector<GuardedMemory> inputMemory;
    Outcome outcome;
    for (std::size_t i = 0; i < inputs.size(); ++i) inputMemory.push_back(toMemory(function.inputs[i], inputs[i]));
    for (const Operand& output : function.outputs)
        outcome.outputs.emplace_back(static_cast<std::size_t>(output.elements) * sizeof(float), variant.poison);

    std::vector<const void*> from;
    std::vector<void*> to;
    for (const GuardedMemory& memory : inputMemory) from.push_back(memory.sizeBytes() > 0 ? memory.data() : nullptr);
    for (const GuardedMemory& memory : outcome.outputs) to.push_back(memory.sizeBytes() > 0 ? memory.data() : nullptr);
    if (variant.alias) {
        const auto [output, input] = *variant.alias;
        std::memcpy(outcome.outputs[output].data(), inputMemory[input].data(), inputMemory[input].sizeBytes());
        from[input] = outcome.outputs[output].data();
    }
    if (variant.unwanted) to[*variant.unwanted] = nullptr;
    const GuardedMemory scratch(kernel.scratchBytes(), variant.poison);
    const kernels::Counter counter{kSeed, kStep};
    kernel.run({.inputs = from, .outputs = to, .scratch = scratch.data(), .counter = &counter});

    if (!scratch.guardsAreWhole()) outcome.fault = "wrote outside its scratch memory";
    for (std::size_t i = 0; i < to.size(); ++i) {
        if (!outcome.outputs[i].guardsAreWhole()) outcome.fault = str("wrote outside ", function.outputs[i].name);
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const GuardedMemory before = toMemory(function.inputs[i], inputs[i]);
        if (std::memcmp(before.data(), inputMemory[i].data(), before.sizeBytes()) != 0)
            outcome.fault = str("changed its input ", function.inputs[i].name);
    }
    return outcome;
}

/// ‖values - expected‖ / ‖expected‖; infinite where a value is not finite.
double relativeError(const GuardedMemory& values, const Values& expected)
{
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        float value = 0;
        std::memcpy(&value, values.data() + i * sizeof(float), sizeof value);
        if (!std::isfinite(value)) return INFINITY;
        difference += (static_cast<double>(value) - expected[i]) * (static_cast<double>(value) - expected[i]);
        norm += expected[i] * expected[i];
    }
    return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

std::vector<Variant> variantsOf(const Function& function)
{
    std::vector<Variant> variants{{.name = "run again"},
                                  {.name = "run on other old values", .poison = std::byte{0x11}}};
    for (const auto& alias : function.aliases)
        variants.push_back({.name = str("with ", function.outputs[alias.first].name, " in the memory of ",
                                        function.inputs[alias.second].name),
                            .alias = alias});
    for (std::size_t i = 0; function.outputsOptional && i < function.outputs.size(); ++i)
        variants.push_back({.name = str("without ", function.outputs[i].name), .unwanted = i});
    return variants;
}

std::string compare(const Function& function, const std::vector<Values>& inputs, const std::vector<Values>& expected,
                    int threads)
{
    auto made = function.makeKernel(kernels::cpu::CpuFactory(threads));
    if (!made) return made.error().toString();
    kernels::Kernel& kernel = **made;
    const Outcome plain = call(kernel, function, inputs, {.name = "plain"});
    if (!plain.fault.empty()) return plain.fault;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double error = relativeError(plain.outputs[i], expected[i]);
        if (!(error <= function.tolerance))
            return str(function.outputs[i].name, " is off by ", significant(error, 3), " of its norm");
    }
    for (const Variant& variant : variantsOf(function)) {
        const Outcome again = call(kernel, function, inputs, variant);
        if (!again.fault.empty()) return str(variant.name, ": ", again.fault);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            if (variant.unwanted == i) continue;
            if (std::memcmp(again.outputs[i].data(), plain.outputs[i].data(), plain.outputs[i].sizeBytes()) != 0)
                return str(variant.name, ": other bits in ", function.outputs[i].name);
        }
    }
    return {};
}

std::string compareOnThreads(const Function& function, std::string_view direction, const std::vector<Values>& inputs,
                             const std::vector<Values>& expected)
{
    for (const int threads : {1, 2}) {
        if (std::string fault = compare(function, inputs, expected, threads); !fault.empty())
            return str(direction, ", ", threads, " threads: ", fault);
    }
    return {};
}

} // namespace

std::string compareWithReference(const Problem& problem)
{
    const Function& forward = problem.forward;
    const std::vector<Values> inputs = drawInputs(forward.inputs, kSeed);
    std::vector<Values> outputs = emptyOutputs(forward.outputs);
    forward.reference(inputs, outputs);
    if (std::string fault = compareOnThreads(forward, "forward", inputs, outputs); !fault.empty()) return fault;
    if (!problem.backward) return {};

    const Function& backward = *problem.backward;
    const std::vector<Values> gradientInputs = drawInputs(backward.inputs, kSeed + 1, named(forward, inputs, outputs));
    std::vector<Values> gradients = emptyOutputs(backward.outputs);
    backward.reference(gradientInputs, gradients);
    return compareOnThreads(backward, "backward", gradientInputs, gradients);
}

} // namespace millrace::test
