// Layers that look along a sequence: attention, LSTM and GRU.
#include "engine/pipeline/layers/layers.h"

#include <cmath>

namespace millrace::pipeline::layers {

namespace {
Status checkSequence(const Site& site)
{
    if (site.shape().rank() == 3) return {};
    return site.refuse(str("Layer ", site.id(), " takes sequences (steps×width) but gets ", site.described(), "."),
                       "Put an Embedding layer before tokens, or a Reshape to steps×width before rows.");
}

// One product with a matrix, x·Wᵀ + b, as a part of the layer: weights <id>.<part>.weight and .bias.
Result<TensorId> project(Site& site, TensorId x, const std::string& part, std::int64_t outputs, const Start& start)
{
    const std::int64_t width = site.width();
    MR_TRY(const TensorId weight, site.weight(part + ".weight", {outputs, width}, start));
    std::vector<TensorId> inputs{x, weight};
    if (site.flag("bias")) {
        MR_TRY(const TensorId bias,
               site.weight(part + ".bias", {outputs}, Start::constant(graph::Tensor::Initial::Zero)));
        inputs.push_back(bias);
    }
    return site.operation("dense", std::move(inputs));
}

// The places of the keys and values that it has seen, where the model reads a text piece by piece.
Result<std::vector<TensorId>> attended(Site& site, TensorId packed)
{
    std::vector<TensorId> inputs{packed};
    if (site.places() == 0) return inputs;
    if (!site.flag("causal")) MR_CHECK(site.needWholeSequence());
    for (const char* name : {"key_cache", "value_cache"}) {
        MR_TRY(const TensorId cache,
               site.state(name, {site.shape()[0], site.places(), site.width()}, graph::Tensor::Initial::Zero));
        inputs.push_back(cache);
    }
    MR_TRY(const TensorId offset, site.offset());
    inputs.push_back(offset);
    return inputs;
}

Built addAttention(Site& site)
{
    MR_CHECK(checkSequence(site));
    const std::int64_t width = site.width(), heads = site.whole("heads");
    if (width % heads != 0)
        return site.refuse(str("Layer ", site.id(), " divides a width of ", width, " (", site.described(), ") into ",
                               heads, " heads of the same width."),
                           "Take a number of heads that divides the width.", "heads");
    const double deviation = site.number("deviation"), outDeviation = site.number("output_deviation");
    MR_TRY(const TensorId packed, project(site, site.input(), "qkv", 3 * width,
                                          deviation > 0 ? Start::normal(deviation) : Start::xavier(width, 3 * width)));
    MR_TRY(auto inputs, attended(site, packed));
    MR_TRY(const TensorId found, site.operation("attention", std::move(inputs),
                                                {{"heads", heads}, {"causal", std::int64_t{site.flag("causal")}}}));
    MR_TRY(const TensorId out, project(site, found, "out", width,
                                       outDeviation > 0 ? Start::normal(outDeviation) : Start::uniform(width, width)));
    return std::optional(out);
}

Row attention()
{
    Row row{
        layerType("layer.attention", "Attention", "Sequence",
                  "Each step looks at the steps of its sequence (causal: only those before it and itself) and takes "
                  "what it finds relevant, in several heads. Computed in tiles; the steps×steps table is never in "
                  "memory. The weights start as PyTorch's MultiheadAttention: queries, keys and values by Xavier, "
                  "the output uniformly within ±1/√width, biases zero.",
                  "q, k, v = x·W_qkv + b; y = softmax(q·kᵀ/√(width of a head)) · v in each head; out = y·W_out + b",
                  "Vaswani et al. 2017, arXiv:1706.03762; Dao 2023, arXiv:2307.08691 (the tiles)."),
        addAttention, [](const Values& values) {
            return str(formatCount(values.whole("heads")), values.whole("heads") == 1 ? " head" : " heads",
                       values.flag("causal") ? " · causal" : "");
        }};
    row.spec.params = {
        integerParam("heads", "Heads", "How many independent looks; must divide the width.", 4, 1, 1024, "heads"),
        booleanParam("causal", "Causal",
                     "Each step sees only those before it and itself, as predicting the next needs.", true),
        biasParam(), deviationParam("deviation", "Start", "Xavier's"),
        deviationParam("output_deviation", "Start of the output", "PyTorch's")};
    return row;
}

// The last step of a sequence as a flat row.
Built lastStep(Site& site, TensorId sequence)
{
    const Shape& shape = site.shapeOf(sequence);
    const std::int64_t units = shape[2];
    MR_TRY(const TensorId last,
           site.operation("slice", {sequence},
                          {{"axis", std::int64_t{1}}, {"start", shape[1] - 1}, {"size", std::int64_t{1}}}));
    return site.output("reshape", {last}, {{"shape", units}});
}

Built addRecurrent(Site& site)
{
    MR_CHECK(checkSequence(site));
    const bool lstm = site.layer().spec.type == "layer.lstm";
    const std::int64_t units = site.whole("units"), gates = (lstm ? 4 : 3) * units;
    MR_TRY(const TensorId weightInput,
           site.weight("weight_input", {gates, site.width()}, Start::uniform(units, units)));
    MR_TRY(const TensorId weightHidden, site.weight("weight_hidden", {gates, units}, Start::uniform(units, units)));
    MR_TRY(const TensorId biasInput, site.weight("bias_input", {gates}, Start::uniform(units, 0, false)));
    MR_TRY(const TensorId biasHidden, site.weight("bias_hidden", {gates}, Start::uniform(units, 0, false)));
    std::vector<TensorId> inputs{site.input(), weightInput, weightHidden, biasInput, biasHidden};
    for (const char* name : {"hidden", "cell"}) { // what it carries from piece to piece of a text
        if (site.places() == 0 || (!lstm && name == std::string_view("cell"))) continue;
        MR_TRY(const TensorId state, site.state(name, {site.shape()[0], units}, graph::Tensor::Initial::Zero));
        inputs.push_back(state);
    }
    MR_TRY(const TensorId sequence, site.operation(lstm ? "lstm" : "gru", std::move(inputs)));
    if (site.text("return") == "last") return lastStep(site, sequence);
    return std::optional(sequence);
}

Row recurrent(std::string type, std::string title, std::string help, std::string formula, std::string source)
{
    Row row{layerType(std::move(type), std::move(title), "Sequence",
                      help + " Weights and biases start uniformly within ±1/√units, as PyTorch's.", std::move(formula),
                      std::move(source)),
            addRecurrent, [](const Values& values) { return str(formatCount(values.whole("units")), " units"); }};
    row.spec.params = {
        integerParam("units", "Units", "Length of what it remembers and gives at each step.", 128, 1, 65536, "units"),
        choiceParam("return", "Gives",
                    "sequence: what it knows at each step. last: what it knows at the end, as a flat row. Layers one "
                    "after the other need the sequence.",
                    {"sequence", "last"}, "sequence")};
    return row;
}
} // namespace

std::vector<Row> sequences()
{
    return {
        attention(),
        recurrent("layer.lstm", "LSTM", "Reads a sequence step by step and remembers in cells with gates.",
                  "i, f, o = σ(W·x + U·h + b + d); g = tanh(W·x + U·h + b + d); c ← f·c + i·g; h ← o·tanh(c), W, U, "
                  "b, d of each gate, in the order i f g o",
                  "Hochreiter, Schmidhuber 1997, Neural Computation 9; gates as PyTorch's LSTM."),
        recurrent("layer.gru", "GRU", "Reads a sequence step by step and remembers with two gates.",
                  "r, z = σ(W·x + b + U·h + d); n = tanh(W·x + b + r·(U·h + d)); h ← (1 − z)·n + z·h, W, U, b, d of "
                  "each gate, in the order r z n",
                  "Cho et al. 2014, arXiv:1406.1078; gates as PyTorch's GRU.")};
}

} // namespace millrace::pipeline::layers
