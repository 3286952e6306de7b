// Layers that keep values in a range that trains well, and dropout.
#include "engine/pipeline/layers/layers.h"

namespace millrace::pipeline::layers {

namespace {
using Initial = graph::Tensor::Initial;

// x and a scale of ones; with `bias` also a shift of zeros.
Result<std::vector<TensorId>> scaled(Site& site, bool bias)
{
    std::vector<TensorId> inputs{site.input()};
    MR_TRY(const TensorId scale, site.weight("scale", {site.width()}, Start::constant(Initial::One)));
    inputs.push_back(scale);
    if (!bias) return inputs;
    MR_TRY(const TensorId shift, site.weight("bias", {site.width()}, Start::constant(Initial::Zero)));
    inputs.push_back(shift);
    return inputs;
}

Built addBatchNorm(Site& site)
{
    MR_TRY(auto inputs, scaled(site, true));
    MR_TRY(const TensorId mean, site.state("running_mean", {site.width()}, Initial::Zero));
    MR_TRY(const TensorId variance, site.state("running_variance", {site.width()}, Initial::One));
    inputs.insert(inputs.end(), {mean, variance});
    return site.output("batch_norm", std::move(inputs),
                       {{"momentum", site.number("momentum")}, {"epsilon", site.number("epsilon")}});
}

Built addLayerNorm(Site& site)
{
    MR_TRY(auto inputs, scaled(site, site.flag("bias")));
    return site.output("layer_norm", std::move(inputs), {{"epsilon", site.number("epsilon")}});
}

Built addRmsNorm(Site& site)
{
    MR_TRY(auto inputs, scaled(site, false));
    return site.output("rms_norm", std::move(inputs), {{"epsilon", site.number("epsilon")}});
}

Built addGroupNorm(Site& site)
{
    const std::int64_t groups = site.whole("groups");
    if (site.width() % groups != 0)
        return site.refuse(str("Layer ", site.id(), " divides ", site.width(), " channels of ", site.described(),
                               " into ", groups, " groups of the same size."),
                           "Take a number of groups that divides the channels.", "groups");
    MR_CHECK(site.needWholeSequence());
    MR_TRY(auto inputs, scaled(site, true));
    return site.output("group_norm", std::move(inputs), {{"groups", groups}, {"epsilon", site.number("epsilon")}});
}

Built addDropout(Site& site)
{
    return site.output("dropout", site.inputs(), {{"probability", site.number("rate")}});
}

ParamSpec epsilonParam(double value)
{
    return advanced(numberParam("epsilon", "Epsilon", "Keeps the division away from zero.", value, 1e-10, 1));
}

Row batchNorm()
{
    Row row{layerType("layer.batch_norm", "Batch norm", "Regularisation",
                      "Brings each channel to mean 0 and deviation 1 over the batch, then scales and shifts it as "
                      "learned (from 1 and 0). Prediction uses running means from training.",
                      "y = scale · (x − mean) / √(variance + ε) + bias", "Ioffe, Szegedy 2015, arXiv:1502.03167."),
            addBatchNorm};
    row.spec.params = {
        advanced(numberParam("momentum", "Momentum", "Weight of the newest batch in the running mean and variance.",
                             0.1, 0.0001, 1)),
        epsilonParam(1e-5),
    };
    return row;
}

Row layerNorm()
{
    Row row{layerType("layer.layer_norm", "Layer norm", "Regularisation",
                      "Brings the last axis of each row or step to mean 0 and deviation 1, then scales and shifts it "
                      "as learned (from 1 and 0).",
                      "y = scale · (x − mean) / √(variance + ε) + bias, mean and variance over the last axis",
                      "Ba, Kiros, Hinton 2016, arXiv:1607.06450."),
            addLayerNorm};
    row.spec.params = {biasParam(), epsilonParam(1e-5)};
    return row;
}

Row rmsNorm()
{
    Row row{layerType("layer.rms_norm", "RMS norm", "Regularisation",
                      "Divides the last axis of each row or step by its root mean square, then scales it as learned "
                      "(from 1).",
                      "y = scale · x / √(mean of x² + ε) over the last axis",
                      "Zhang, Sennrich 2019, arXiv:1910.07467."),
            addRmsNorm};
    row.spec.params = {epsilonParam(1.1920928955078125e-07)};
    return row;
}

Row groupNorm()
{
    Row row{layerType("layer.group_norm", "Group norm", "Regularisation",
                      "Brings groups of channels of each row to mean 0 and deviation 1, then scales and shifts each "
                      "channel as learned (from 1 and 0); does not depend on the batch.",
                      "y = scale · (x − mean) / √(variance + ε) + bias, mean and variance over a group",
                      "Wu, He 2018, arXiv:1803.08494."),
            addGroupNorm, [](const Values& values) { return str(formatCount(values.whole("groups")), " groups"); }};
    row.spec.params = {integerParam("groups", "Groups",
                                    "How many groups the channels are divided into; 1: all of them.", 1, 1, 65536,
                                    "groups"),
                       epsilonParam(1e-5)};
    return row;
}

Row dropout()
{
    Row row{layerType("layer.dropout", "Dropout", "Regularisation",
                      "Sets a random part of the values to zero while training and scales the others up; does nothing "
                      "in prediction.",
                      "y = x · mask / (1 − rate)", "Srivastava et al. 2014, JMLR 15."),
            addDropout, [](const Values& values) { return str(significant(100 * values.number("rate"), 3), " %"); }};
    row.spec.params = {numberParam("rate", "Rate", "Fraction of the values that is set to zero.", 0.2, 0, 0.95)};
    return row;
}
} // namespace

std::vector<Row> normalization()
{
    return {batchNorm(), layerNorm(), rmsNorm(), groupNorm(), dropout()};
}

} // namespace millrace::pipeline::layers
