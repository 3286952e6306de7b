// The rows of recurrent layers.
#include "tests/kernels/families.h"

namespace millrace::test {

namespace {

using namespace kernels;

/// The operands of an LSTM or a GRU by their names: `gates` gates, and `states` states that may come in.
struct Layer
{
    std::int64_t B, T, I, H, gates;
    bool carried; ///< states come in

    Operand x() const { return {"x", B * T * I}; }
    Operand y() const { return {"y", B * T * H}; }
    Operand state(const char* name) const { return {name, carried ? B * H : 0}; }
    std::vector<Operand> parameters() const
    {
        const std::int64_t rows = gates * H;
        return {{"weightInput", rows * I}, {"weightHidden", rows * H}, {"biasInput", rows}, {"biasHidden", rows}};
    }
    std::vector<Operand> gradients() const
    {
        std::vector<Operand> result{{"dx", x().elements}};
        for (const Operand& parameter : parameters()) result.push_back({"d" + parameter.name, parameter.elements});
        return result;
    }
    double flops() const { return 2.0 * static_cast<double>(B * T * gates * H) * static_cast<double>(I + H); }
};

Layer readLayer(Case& line, std::int64_t gates)
{
    return {line.integer("B"),
            line.integer("T"),
            line.integer("I"),
            line.integer("H"),
            gates,
            line.integer("carried", 0) != 0};
}

Problem lstm(Case& line)
{
    const Layer l = readLayer(line, 4);
    const Lstm d{l.B, l.T, l.I, l.H};
    const Operand cells{"cells", l.y().elements}, gates{"gates", 4 * l.y().elements};
    std::vector<Operand> inputs = l.parameters();
    inputs.insert(inputs.begin(), l.x());
    inputs.insert(inputs.end(), {l.state("hidden"), l.state("cell")});
    Problem problem{{.inputs = inputs,
                     .outputs = {l.y(), cells, gates, {"newHidden", l.B * l.H}, {"newCell", l.B * l.H}},
                     .makeKernel = [d](const Factory& f) { return f.makeLstm(d); },
                     .reference = [d](Inputs in, Outputs out) { reference::lstm(d, in, out); },
                     .flops = l.flops()}};
    if (l.carried) {
        problem.forward.aliases = {{3, 5}, {4, 6}};
        return problem;
    }
    problem.backward =
        Function{.inputs = {inputs[0], inputs[1], inputs[2], l.y(), cells, gates, {"dy", l.y().elements}},
                 .outputs = l.gradients(),
                 .makeKernel = [d](const Factory& f) { return f.makeLstmBackward(d); },
                 .reference = [d](Inputs in, Outputs out) { reference::lstmBackward(d, in, out); },
                 .flops = 2 * l.flops(),
                 .outputsOptional = true};
    return problem;
}

Problem gru(Case& line)
{
    const Layer l = readLayer(line, 3);
    const Gru d{l.B, l.T, l.I, l.H};
    const Operand gates{"gates", 3 * l.y().elements}, product{"product", l.y().elements};
    std::vector<Operand> inputs = l.parameters();
    inputs.insert(inputs.begin(), l.x());
    inputs.push_back(l.state("hidden"));
    Problem problem{{.inputs = inputs,
                     .outputs = {l.y(), gates, product, {"newHidden", l.B * l.H}},
                     .makeKernel = [d](const Factory& f) { return f.makeGru(d); },
                     .reference = [d](Inputs in, Outputs out) { reference::gru(d, in, out); },
                     .flops = l.flops()}};
    if (l.carried) {
        problem.forward.aliases = {{3, 5}};
        return problem;
    }
    problem.backward =
        Function{.inputs = {inputs[0], inputs[1], inputs[2], l.y(), gates, product, {"dy", l.y().elements}},
                 .outputs = l.gradients(),
                 .makeKernel = [d](const Factory& f) { return f.makeGruBackward(d); },
                 .reference = [d](Inputs in, Outputs out) { reference::gruBackward(d, in, out); },
                 .flops = 2 * l.flops(),
                 .outputsOptional = true};
    return problem;
}

constexpr OperationRow kOperations[] = {
    {"lstm", lstm, true},
    {"gru", gru, true},
};

} // namespace

std::span<const OperationRow> recurrentOperations()
{
    return kOperations;
}

} // namespace millrace::test
