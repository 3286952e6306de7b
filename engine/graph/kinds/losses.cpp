// Losses: where differentiation starts. With the attribute gradient = 1 their last output is the gradient of the first
// input, because one pass over the logits gives both.
#include "engine/graph/kinds/kinds.h"

namespace millrace::graph::kinds {

namespace {

void addGradientOutput(const Site& site, std::vector<OutputType>& outputs)
{
    if (site->integer("gradient") != 0) outputs.push_back({"dx", site.input(0).shape});
}

Result<std::vector<OutputType>> crossEntropyShape(const Site& site)
{
    const Shape& logits = site.input(0).shape;
    const Shape& labels = site.input(1).shape;
    if (logits.rank() != 2)
        return site.refuse(str("Cross-entropy takes one score per class but gets ", site.sampleAndSource(0), "."),
                           "End the model with a Flatten and a Dense layer as wide as there are classes.");
    if (labels != Shape{logits[0]})
        return site.refuse(
            str("Cross-entropy takes one label per row, ", logits[0], " in all, but gets ", labels.toString(), "."));
    std::vector<OutputType> outputs{{"loss", Shape{1}}, {"correct", Shape{1}}};
    addGradientOutput(site, outputs);
    return outputs;
}

Result<std::vector<OutputType>> meanSquaredErrorShape(const Site& site)
{
    if (site.input(0).shape != site.input(1).shape)
        return site.refuse(str("The mean squared error compares predictions with targets of the same shape but gets ",
                               site.sampleAndSource(0), " and targets of ", site.sample(1), "."),
                           "End the model with a Dense layer as wide as the target (1 for one number).");
    std::vector<OutputType> outputs{{"loss", Shape{1}}};
    addGradientOutput(site, outputs);
    return outputs;
}

template <int count> double perInputElement(const Site& site)
{
    return count * static_cast<double>(site.input(0).shape.elements());
}

Status lossGradient(Differentiation& d)
{
    if (d.operation().integer("gradient") == 0)
        return makeError(Code::Internal, str("The loss ", d.operation().kind, " was added without its gradient."));
    d.give(0, d.operation().outputs.back());
    return {};
}

} // namespace

std::span<const OperationKind> losses()
{
    static const OperationKind kinds[] = {
        {.name = "cross_entropy",
         .inputs = {{"logits"}, {"labels", DType::I32}},
         .attributes = {"gradient"},
         .shape = crossEntropyShape,
         .flops = perInputElement<6>,
         .gradient = lossGradient},
        {.name = "mse",
         .inputs = {{"prediction"}, {"targets"}},
         .attributes = {"gradient"},
         .shape = meanSquaredErrorShape,
         .flops = perInputElement<3>,
         .gradient = lossGradient},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
