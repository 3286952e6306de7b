// Losses: where differentiation starts. With the attribute gradient = 1 their last output is the gradient of the first
// input, because one pass over the logits gives both; it may take that input's memory.
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
    if (logits.rank() < 2 || (labels.rank() == 1 && logits.rank() > 2))
        return site.refuse(str("Cross-entropy takes one score per class but gets ", site.sampleAndSource(0), "."),
                           "End the model with a Flatten and a Dense layer as wide as there are classes.");
    const auto leading = logits.dimensions().first(logits.rank() - 1);
    MR_TRY(const Shape expected, Shape::create(leading));
    if (labels != expected)
        return site.refuse(str("Cross-entropy takes one label per row, ", expected.toString(), " in all, but gets ",
                               labels.toString(), "."));
    if (site.hasInput(2)) MR_CHECK(checkVector(site, 2, "class weights", logits[logits.rank() - 1]));
    const double smoothing = site->number("label_smoothing");
    if (!(smoothing >= 0 && smoothing <= 1))
        return site.refuse(str("The label smoothing is ", smoothing, "; it must be from 0 to 1."))
            .atNode(site->layer, "label_smoothing");
    std::vector<OutputType> outputs{{"loss", Shape{1}, DType::F32}, {"correct", Shape{1}, DType::F32}};
    addGradientOutput(site, outputs);
    return outputs;
}

/// Refuses targets that are not shaped as the predictions.
Status checkTargets(const Site& site, std::string_view loss)
{
    if (site.input(0).shape == site.input(1).shape) return {};
    return site.refuse(str("The ", loss, " compares predictions with targets of the same shape but gets ",
                           site.sampleAndSource(0), " and targets of ", site.sample(1), "."),
                       "End the model with a Dense layer as wide as the target (1 for one number).");
}

/// Refuses a number of the loss that is not above 0.
Status checkAboveZero(const Site& site, const std::string& attribute, std::string_view what)
{
    const double value = site->number(attribute, 1);
    if (value > 0) return {};
    return site.refuse(str("The ", what, " is ", value, "; it must be above 0.")).atNode(site->layer, attribute);
}

std::vector<OutputType> lossAlone(const Site& site)
{
    std::vector<OutputType> outputs{{"loss", Shape{1}, DType::F32}};
    addGradientOutput(site, outputs);
    return outputs;
}

Result<std::vector<OutputType>> meanSquaredErrorShape(const Site& site)
{
    MR_CHECK(checkTargets(site, "mean squared error"));
    return lossAlone(site);
}

Result<std::vector<OutputType>> meanAbsoluteErrorShape(const Site& site)
{
    MR_CHECK(checkTargets(site, "mean absolute error"));
    return lossAlone(site);
}

Result<std::vector<OutputType>> huberShape(const Site& site)
{
    MR_CHECK(checkTargets(site, "Huber loss"));
    MR_CHECK(checkAboveZero(site, "delta", "delta of the Huber loss"));
    return lossAlone(site);
}

Result<std::vector<OutputType>> klShape(const Site& site)
{
    MR_CHECK(checkTargets(site, "Kullback-Leibler divergence"));
    MR_CHECK(checkAboveZero(site, "temperature", "temperature of the distillation"));
    if (site.input(0).shape.rank() < 2)
        return site.refuse(
            str("The Kullback-Leibler divergence takes one score per class but gets ", site.sampleAndSource(0), "."));
    return lossAlone(site);
}

Result<std::vector<OutputType>> binaryCrossEntropyShape(const Site& site)
{
    MR_CHECK(checkTargets(site, "binary cross-entropy"));
    std::vector<OutputType> outputs{{"loss", Shape{1}, DType::F32}, {"correct", Shape{1}, DType::F32}};
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
         .inputs = {{"logits"}, {"labels", DType::I32}, {"class weights", DType::F32, true}},
         .attributes = {"gradient", "label_smoothing", "ignore_index"},
         .shape = crossEntropyShape,
         .flops = perInputElement<6>,
         .gradient = lossGradient,
         .overwrites = {0},
         .overwriter = 2},
        {.name = "binary_cross_entropy",
         .inputs = {{"logits"}, {"targets"}},
         .attributes = {"gradient"},
         .shape = binaryCrossEntropyShape,
         .flops = perInputElement<20>,
         .gradient = lossGradient,
         .overwrites = {0},
         .overwriter = 2,
         .f32Alone = true},
        {.name = "mse",
         .inputs = {{"prediction"}, {"targets"}},
         .attributes = {"gradient"},
         .shape = meanSquaredErrorShape,
         .flops = perInputElement<3>,
         .gradient = lossGradient,
         .overwrites = {0},
         .overwriter = 1,
         .f32Alone = true},
        {.name = "mae",
         .inputs = {{"prediction"}, {"targets"}},
         .attributes = {"gradient"},
         .shape = meanAbsoluteErrorShape,
         .flops = perInputElement<3>,
         .gradient = lossGradient,
         .overwrites = {0},
         .overwriter = 1,
         .f32Alone = true},
        {.name = "huber",
         .inputs = {{"prediction"}, {"targets"}},
         .attributes = {"gradient", "delta"},
         .shape = huberShape,
         .flops = perInputElement<5>,
         .gradient = lossGradient,
         .overwrites = {0},
         .overwriter = 1,
         .f32Alone = true},
        {.name = "kl",
         .inputs = {{"logits"}, {"teacher"}},
         .attributes = {"gradient", "temperature"},
         .shape = klShape,
         .flops = perInputElement<20>,
         .gradient = lossGradient,
         .overwrites = {0},
         .overwriter = 1,
         .f32Alone = true},
    };
    return kinds;
}

} // namespace millrace::graph::kinds
