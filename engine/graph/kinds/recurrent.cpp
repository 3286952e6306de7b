// Recurrent layers: LSTM and GRU.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

/// The inputs of both kinds: x, weight_input, weight_hidden, bias_input, bias_hidden, then states.
constexpr std::size_t kStates = 5;

/// Checks a layer of `gates` gates and returns the width of its state.
Result<std::int64_t> checkRecurrent(const Site& site, std::int64_t gates, std::size_t states)
{
    const Shape& x = site.input(0).shape;
    if (x.rank() != 3 || x.elements() == 0)
        return site.refuse(
            str("Layer ", site->layer, " takes sequences (steps×features) but gets ", site.sampleAndSource(0), "."),
            "Put an Embedding layer before it, or Reshape to steps×features.");
    const Shape& hidden = site.input(2).shape;
    const std::int64_t width = hidden.rank() == 2 ? hidden[1] : 0;
    if (width < 1 || hidden[0] != gates * width)
        return site.refuse(str("The hidden weight of layer ", site->layer, " must be ", gates, "·width×width but is ",
                               hidden.toString(), "."));
    const Shape& weight = site.input(1).shape;
    if (weight != Shape{gates * width, x[2]})
        return site.refuse(str("Layer ", site->layer, " has an input weight of ", weight.toString(), " but gets ",
                               site.sampleAndSource(0), ", which asks for ", gates * width, "×", x[2], "."));
    MR_CHECK(checkVector(site, 3, "input bias", gates * width));
    MR_CHECK(checkVector(site, 4, "hidden bias", gates * width));
    for (std::size_t i = kStates; site.hasInput(i); ++i) {
        if (site.input(i).shape == Shape{x[0], width}) continue;
        return site.refuse(str("The state of layer ", site->layer, " must be ", x[0], "×", width, " but is ",
                               site.input(i).shape.toString(), "."));
    }
    if (site.hasInput(kStates) && !site.hasInput(kStates + states - 1))
        return site.refuse(str("Layer ", site->layer, " needs both states, hidden and cell, or none."));
    return width;
}

template <std::int64_t gates, std::size_t states> Result<std::vector<OutputType>> recurrentShape(const Site& site)
{
    MR_TRY(const std::int64_t width, checkRecurrent(site, gates, states));
    const Shape& x = site.input(0).shape;
    const Shape y{x[0], x[1], width};
    std::vector<OutputType> outputs{{"out", y}};
    if (site.hasInput(kStates)) return outputs;
    const Shape all{x[0], x[1], gates * width};
    if (gates == 4)
        outputs.insert(outputs.end(), {{"cells", y}, {"gates", all}});
    else
        outputs.insert(outputs.end(), {{"gates", all}, {"product", y}});
    return outputs;
}

/// Every step multiplies both weights.
double recurrentFlops(const Site& site)
{
    const Shape& x = site.input(0).shape;
    return 2 * static_cast<double>(x[0] * x[1]) *
           static_cast<double>(site.input(1).shape.elements() + site.input(2).shape.elements());
}
double recurrentBackwardFlops(const Site& site)
{
    return 2 * recurrentFlops(site);
}

/// Inputs x, both weights, the three outputs and dy; outputs the gradients of the four parameters, then dx if wanted.
template <bool lstm> Status recurrentGradient(Differentiation& d)
{
    const Operation operation = d.operation();
    if (operation.inputs.size() > kStates)
        return makeError(Code::Unsupported,
                         str("Layer ", operation.layer, " carries its state over calls and cannot be trained."))
            .atNode(operation.layer);
    std::vector<TensorId> inputs(operation.inputs.begin(), operation.inputs.begin() + 3);
    inputs.insert(inputs.end(), operation.outputs.begin(), operation.outputs.end());
    inputs.push_back(d.outputGradient());
    MR_TRY(const auto gradients,
           d.add(lstm ? "lstm_backward" : "gru_backward", std::move(inputs), {{"data", std::int64_t{d.wants(0)}}}));
    for (std::size_t i = 0; i < 4; ++i) d.give(i + 1, gradients[i]);
    if (d.wants(0)) d.give(0, gradients[4]);
    return {};
}

Result<std::vector<OutputType>> recurrentBackwardShape(const Site& site)
{
    const Shape& weight = site.input(1).shape;
    const Shape bias{weight[0]};
    std::vector<OutputType> gradients{{"dweight_input", weight, DType::F32},
                                      {"dweight_hidden", site.input(2).shape, DType::F32},
                                      {"dbias_input", bias, DType::F32},
                                      {"dbias_hidden", bias, DType::F32}};
    if (site->integer("data") != 0) gradients.push_back({"dx", site.input(0).shape});
    return gradients;
}

} // namespace

std::span<const OperationKind> recurrent()
{
    static const OperationKind kinds[] = {
        {.name = "lstm",
         .inputs = {{"x"},
                    {"weight_input"},
                    {"weight_hidden"},
                    {"bias_input"},
                    {"bias_hidden"},
                    {"hidden", kStored, true},
                    {"cell", kStored, true}},
         .attributes = {},
         .shape = recurrentShape<4, 2>,
         .flops = recurrentFlops,
         .gradient = recurrentGradient<true>,
         .f32Alone = true},
        {.name = "lstm_backward",
         .inputs = {{"x"}, {"weight_input"}, {"weight_hidden"}, {"y"}, {"cells"}, {"gates"}, {"dy"}},
         .attributes = {"data"},
         .shape = recurrentBackwardShape,
         .flops = recurrentBackwardFlops,
         .f32Alone = true},
        {.name = "gru",
         .inputs =
             {{"x"}, {"weight_input"}, {"weight_hidden"}, {"bias_input"}, {"bias_hidden"}, {"hidden", kStored, true}},
         .attributes = {},
         .shape = recurrentShape<3, 1>,
         .flops = recurrentFlops,
         .gradient = recurrentGradient<false>,
         .f32Alone = true},
        {.name = "gru_backward",
         .inputs = {{"x"}, {"weight_input"}, {"weight_hidden"}, {"y"}, {"gates"}, {"product"}, {"dy"}},
         .attributes = {"data"},
         .shape = recurrentBackwardShape,
         .flops = recurrentBackwardFlops,
         .f32Alone = true},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
