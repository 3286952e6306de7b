// model.gpt: the decoder of GPT-2, from nano to 124 million weights.
#include "engine/pipeline/models/models.h"

#include <array>
#include <cmath>

namespace millrace::pipeline::models {

namespace {
struct Size
{
    const char* name;
    int layers, heads, width, context;
};
constexpr std::array<Size, 5> kSizes{{{"nano", 3, 3, 48, 64},
                                      {"micro", 4, 4, 128, 128},
                                      {"mini", 6, 6, 192, 256},
                                      {"small", 6, 6, 384, 256},
                                      {"gpt2", 12, 12, 768, 1024}}};
constexpr const Size& kDefaultSize = kSizes[2];
constexpr double kDeviation = 0.02; // of GPT-2's weights

struct Plan
{
    std::int64_t layers = 0, heads = 0, width = 0;
    double dropout = 0;
    /// What is added to the residual stream starts smaller, so that its size does not grow with the layers.
    double residual() const { return kDeviation / std::sqrt(2.0 * static_cast<double>(layers)); }
};

void addDropout(LayerGraph& layers, const Plan& plan, std::string_view name)
{
    if (plan.dropout > 0) layers.add(name, "layer.dropout", {{"rate", plan.dropout}});
}

void addBlock(LayerGraph& layers, const Plan& plan)
{
    std::string stream = layers.last();
    layers.add("norm1", "layer.layer_norm");
    layers.add("attention", "layer.attention",
               {{"heads", plan.heads}, {"deviation", kDeviation}, {"output_deviation", plan.residual()}});
    addDropout(layers, plan, "dropout1");
    stream = layers.addFrom({stream, layers.last()}, "add1", "layer.add");
    layers.add("norm2", "layer.layer_norm");
    layers.add("dense1", "layer.dense", {{"units", 4 * plan.width}, {"deviation", kDeviation}});
    layers.add("gelu", "layer.gelu", {{"form", "tanh"}});
    layers.add("dense2", "layer.dense", {{"units", plan.width}, {"deviation", plan.residual()}});
    addDropout(layers, plan, "dropout2");
    layers.addFrom({stream, layers.last()}, "add2", "layer.add");
}

Document expandGpt(const Values& values, const RowsSchema&)
{
    const Plan plan{values.whole("layers"), values.whole("heads"), values.whole("width"), values.number("dropout")};
    LayerGraph layers;
    layers.add("embedding", "layer.embedding", {{"width", plan.width}, {"deviation", kDeviation}});
    layers.add("position", "layer.position", {{"context", values.whole("context")}, {"deviation", kDeviation}});
    addDropout(layers, plan, "dropout");
    for (std::int64_t i = 1; i <= plan.layers; ++i) {
        layers.block(str("block", i));
        addBlock(layers, plan);
    }
    layers.block({});
    layers.add("norm", "layer.layer_norm");
    layers.add("answer", "layer.dense", {{"tie", "embedding"}, {"bias", false}});
    return layers.take();
}

ParamSpec bySize(ParamSpec spec, int Size::*member)
{
    DefaultsBy defaults{"size", {}};
    for (const Size& size : kSizes) defaults.values[size.name] = size.*member;
    spec.defaultsBy = std::move(defaults);
    return spec;
}
} // namespace

Row gpt()
{
    Row row{modelType("model.gpt", "GPT",
                      "The decoder of GPT-2, which predicts each token from those before it: learned positions, blocks "
                      "of attention and a dense network with norms before them, and an answer that shares the "
                      "embedding's table. Weights start as GPT-2's: normal with deviation 0.02, divided by √(2·layers) "
                      "where a block adds to the stream. Dropout acts on what blocks add, not inside attention.",
                      "x ← x + attention(norm(x)); x ← x + W₂·gelu(W₁·norm(x)) for each block; logits = norm(x)·tableᵀ",
                      "Radford et al. 2019, Language Models are Unsupervised Multitask Learners."),
            Reads::Tokens, expandGpt};
    std::vector<std::string> names;
    for (const Size& size : kSizes) names.emplace_back(size.name);
    row.spec.params = {
        choiceParam("size", "Size",
                    "Sets layers, heads, width and context where they are not given: nano, micro, mini for a few "
                    "minutes on a processor, small with 10 million weights, gpt2 with 124 million.",
                    names, kDefaultSize.name),
        bySize(integerParam("layers", "Layers", "Blocks, one above the other.", kDefaultSize.layers, 1, 96, "blocks"),
               &Size::layers),
        bySize(integerParam("heads", "Heads", "Independent looks of each attention; must divide the width.",
                            kDefaultSize.heads, 1, 128, "heads"),
               &Size::heads),
        bySize(integerParam("width", "Width", "Length of a token's vector throughout the network.", kDefaultSize.width,
                            4, 16384, "numbers"),
               &Size::width),
        bySize(integerParam("context", "Context", "The longest sequence that it can look at.", kDefaultSize.context, 1,
                            65536, "tokens"),
               &Size::context),
        dropoutParam(0.1, "Fraction of what a block adds that is set to zero while training"),
    };
    return row;
}

} // namespace millrace::pipeline::models
