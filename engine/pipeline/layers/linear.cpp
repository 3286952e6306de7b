// Layers that are one product with a matrix: dense, and the tables of tokens and positions.
#include "engine/pipeline/layers/layers.h"

namespace millrace::pipeline::layers {

namespace {
Result<TensorId> denseWeight(Site& site, std::int64_t units)
{
    const std::int64_t features = site.width();
    const double deviation = site.number("deviation");
    return site.weight("weight", {units, features},
                       deviation > 0 ? Start::normal(deviation) : Start::uniform(features, units));
}

Built addDense(Site& site)
{
    const Shape& x = site.shape();
    if (x.rank() > 3)
        return site.refuse(str("Layer ", site.id(), " takes flat rows or sequences but gets ", site.described(), "."),
                           "Put a Flatten layer between them.");
    const std::string tie = site.text("tie");
    std::int64_t units = site.whole("units");
    TensorId weight = 0;
    if (tie.empty()) {
        if (units == 0) units = site.layer().answers;
        if (units == 0) return std::optional<TensorId>();
        MR_TRY(weight, denseWeight(site, units));
    } else {
        MR_TRY(weight, site.weightOf(tie, "weight", "tie"));
        const Shape& table = site.shapeOf(weight);
        if (units != 0 && units != table[0])
            return site.refuse(str("Layer ", site.id(), " has ", units, " units but shares the ", table.toString(),
                                   " weights of ", tie, "."),
                               "Set units to 0: as many as those weights have rows.", "units");
        units = table[0];
    }
    std::vector<TensorId> inputs{site.input(), weight};
    if (site.flag("bias")) {
        const bool own = site.number("deviation") == 0;
        MR_TRY(const TensorId bias, site.weight("bias", {units},
                                                own ? Start::uniform(site.width(), 0, false)
                                                    : Start::constant(graph::Tensor::Initial::Zero)));
        inputs.push_back(bias);
    }
    return site.output("dense", std::move(inputs));
}

Row dense()
{
    Row row{layerType("layer.dense", "Dense", "Weights",
                      "Every output sees every input of a flat row; of a sequence, at each step by itself. Weights and "
                      "bias start uniformly within ±1/√inputs, as PyTorch's.",
                      "y = W·x + b"),
            addDense, [](const Values& values) {
                const std::int64_t units = values.whole("units");
                return units > 0 ? str(formatCount(units), " units") : std::string();
            }};
    ParamSpec tie = textParam("tie", "Shared weights",
                              "The Embedding layer whose table this layer has as its weights (Press, Wolf 2017, "
                              "arXiv:1608.05859); empty: weights of its own.",
                              "");
    tie.isName = true;
    row.spec.params = {integerParam("units", "Units",
                                    "Number of outputs; 0: as many as the target needs, one for each class or token.",
                                    0, 0, 1048576, "units"),
                       biasParam(), deviationParam("deviation", "Start", "PyTorch's"), advanced(tie)};
    return row;
}

Built addEmbedding(Site& site)
{
    const std::int64_t vocabulary = site.layer().vocabulary, width = site.whole("width");
    if (vocabulary == 0) return std::optional<TensorId>();
    const double deviation = site.number("deviation");
    MR_TRY(const TensorId table,
           site.weight("weight", {vocabulary, width}, Start::normal(deviation > 0 ? deviation : 1)));
    return site.output("embedding", {table, site.input()});
}

Row embedding()
{
    Row row{layerType("layer.embedding", "Embedding", "Weights",
                      "Gives each token a learned vector: the row of a table, as long as the vocabulary. The table "
                      "starts normally distributed with deviation 1, as PyTorch's.",
                      "y[t] = table[token t]",
                      "Bengio, Ducharme, Vincent, Jauvin 2003, A Neural Probabilistic Language Model."),
            addEmbedding, [](const Values& values) { return str(formatCount(values.whole("width")), " wide"); }, true};
    row.spec.params = {integerParam("width", "Width", "Length of a token's vector.", 64, 1, 65536, "numbers"),
                       deviationParam("deviation", "Start", "1")};
    return row;
}

Built addPosition(Site& site)
{
    if (site.shape().rank() != 3)
        return site.refuse(str("Layer ", site.id(), " takes sequences (steps×width) but gets ", site.described(), "."),
                           "Put an Embedding layer before it, or a Reshape to steps×width.");
    const double deviation = site.number("deviation");
    MR_TRY(const TensorId table, site.weight("weight", {site.whole("context"), site.width()},
                                             Start::normal(deviation > 0 ? deviation : 0.02)));
    std::vector<TensorId> inputs{site.input(), table};
    if (site.places() > 0) {
        MR_TRY(const TensorId offset, site.offset());
        inputs.push_back(offset);
    }
    return site.output("position", std::move(inputs));
}

Row position()
{
    Row row{layerType("layer.position", "Positions", "Weights",
                      "Adds a learned vector for each place of a sequence, so that what follows knows the order. The "
                      "vectors start normally distributed with deviation 0.02, as GPT-2's.",
                      "y[t] = x[t] + table[t]", "Gehring et al. 2017, arXiv:1705.03122, section 3.1."),
            addPosition, [](const Values& values) { return str(formatCount(values.whole("context")), " places"); }};
    row.spec.params = {
        integerParam("context", "Places", "The longest sequence that it can number.", 256, 1, 65536, "tokens"),
        deviationParam("deviation", "Start", "0.02")};
    return row;
}
} // namespace

std::vector<Row> linear()
{
    return {dense(), embedding(), position()};
}

} // namespace millrace::pipeline::layers
