// The rows of the optimisers: one update of a flat buffer that is one tensor.
#include "kernels/cpu/factory.h"
#include "kernels/cpu/make_kernel.h"
#include "kernels/cpu/optimizer.h"
#include "tests/kernels/families.h"

#include <algorithm>

namespace millrace::test {

namespace {

using namespace kernels;

/// Optimisers update in place: a kernel around one first brings its state from the inputs to the outputs.
void copyUnlessSame(const float* from, float* to, std::size_t count)
{
    if (from != to) std::copy_n(from, count, to);
}

template <class Options> void runOnce(const Options& options, Segment all, const Arguments& a, int threads)
{
    const auto count = static_cast<std::size_t>(all.end);
    copyUnlessSame(a.input(0), a.output(0), count);
    std::vector<std::span<float>> state;
    for (std::size_t i = 0; i < Options::kState.size(); ++i) {
        copyUnlessSame(a.input(2 + i), a.output(1 + i), count);
        state.emplace_back(a.output(1 + i), count);
    }
    std::vector<float> scratch(cpu::muonScratch({&all, 1}));
    cpu::update(options, {{&all, 1}, {a.output(0), count}, {a.input(1), count}, state, scratch, threads});
}

/// `flops` of one element, roughly.
template <class Options> Problem problem(const Options& options, const Segment& all, double flops)
{
    const auto count = static_cast<std::int64_t>(all.end);
    Problem result{{.inputs = {{"weights", count}, {"gradients", count}},
                    .outputs = {{"newWeights", count}},
                    .makeKernel = [=](const Factory& f) -> KernelResult {
                        const auto* cpuFactory = dynamic_cast<const cpu::CpuFactory*>(&f);
                        if (!cpuFactory) return makeError(Code::Unsupported, "This is the CPU's update.");
                        return cpu::makeKernel([=, threads = cpuFactory->threads()](const Arguments& a) {
                            runOnce(options, all, a, threads);
                        });
                    },
                    .reference =
                        [=](Inputs in, Outputs out) {
                            if constexpr (std::is_same_v<Options, Muon>)
                                reference::update(options, all.rows, all.columns, in, out);
                            else
                                reference::update(options, in, out);
                        },
                    .flops = flops * static_cast<double>(count),
                    .aliases = {{0, 0}}}};
    for (std::size_t i = 0; i < Options::kState.size(); ++i) {
        const std::string name(Options::kState[i]);
        const bool squares = name.starts_with("s"); // second moments, averages and sums of squares
        result.forward.inputs.push_back({name, count, squares ? Operand::Content::Positive : Operand::Content::Normal});
        result.forward.outputs.push_back({"new_" + name, count});
        result.forward.aliases.emplace_back(1 + i, 2 + i);
    }
    return result;
}

Segment buffer(Case& line)
{
    return {0, static_cast<std::uint64_t>(line.integer("N")), true};
}

Problem sgd(Case& line)
{
    return problem(Sgd{.learningRate = line.number("lr", 0.1),
                       .momentum = line.number("momentum", 0),
                       .weightDecay = line.number("decay", 0),
                       .nesterov = line.integer("nesterov", 0) != 0},
                   buffer(line), 6);
}

Problem adam(Case& line)
{
    return problem(Adam{.learningRate = line.number("lr", 0.01),
                        .weightDecay = line.number("decay", 0),
                        .decoupled = line.integer("decoupled", 0) != 0,
                        .step = line.integer("step", 1)},
                   buffer(line), 13);
}

Problem nadam(Case& line)
{
    return problem(Nadam{.learningRate = line.number("lr", 0.01),
                         .weightDecay = line.number("decay", 0),
                         .step = line.integer("step", 1)},
                   buffer(line), 14);
}

Problem rmsprop(Case& line)
{
    return problem(RmsProp{.learningRate = line.number("lr", 0.01),
                           .momentum = line.number("momentum", 0),
                           .weightDecay = line.number("decay", 0)},
                   buffer(line), 11);
}

Problem adagrad(Case& line)
{
    return problem(Adagrad{.learningRate = line.number("lr", 0.01), .weightDecay = line.number("decay", 0)},
                   buffer(line), 8);
}

Problem adadelta(Case& line)
{
    return problem(Adadelta{.learningRate = line.number("lr", 1), .weightDecay = line.number("decay", 0)}, buffer(line),
                   15);
}

Problem lamb(Case& line)
{
    return problem(Lamb{.learningRate = line.number("lr", 0.01),
                        .weightDecay = line.number("decay", 0.01),
                        .step = line.integer("step", 1)},
                   buffer(line), 24);
}

Problem lion(Case& line)
{
    return problem(Lion{.learningRate = line.number("lr", 0.01), .weightDecay = line.number("decay", 0)}, buffer(line),
                   8);
}

/// A matrix R×C, or with N what is none.
Problem muon(Case& line)
{
    const std::int64_t R = line.integer("R", 0), C = line.integer("C", 0);
    const Segment all{0, static_cast<std::uint64_t>(line.integer("N", R * C)), true, R, C};
    const auto side = static_cast<double>(std::min(R, C));
    return problem(Muon{.learningRate = line.number("lr", 0.1),
                        .momentum = line.number("momentum", 0.95),
                        .weightDecay = line.number("decay", 0.1),
                        .nesterov = line.integer("nesterov", 1) != 0,
                        .step = line.integer("step", 1)},
                   all,
                   R > 0 ? Muon::kIterations * (4 * side + 2 * side * side / static_cast<double>(std::max(R, C))) : 13);
}

constexpr OperationRow kOptimizers[] = {
    {"sgd", sgd},           {"adam", adam}, {"nadam", nadam}, {"rmsprop", rmsprop}, {"adagrad", adagrad},
    {"adadelta", adadelta}, {"lamb", lamb}, {"lion", lion},   {"muon", muon},
};

} // namespace

std::span<const OperationRow> optimizerOperations()
{
    return kOptimizers;
}

} // namespace millrace::test
