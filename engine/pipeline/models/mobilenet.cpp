// model.mobilenet: inverted residual blocks with depthwise convolutions, for small computers.
#include "engine/pipeline/models/models.h"

#include <algorithm>
#include <array>

namespace millrace::pipeline::models {

namespace {
struct Stage
{
    int expansion, channels, blocks, stride;
};
// Table 2 of the paper.
constexpr std::array<Stage, 7> kStages{
    {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}}};

// To the nearest multiple of 8, but never less than nine tenths, as the authors' code does.
std::int64_t scaled(int channels, double width)
{
    const double wanted = channels * width;
    auto rounded = std::max<std::int64_t>(8, static_cast<std::int64_t>(wanted + 4) / 8 * 8);
    if (static_cast<double>(rounded) < 0.9 * wanted) rounded += 8;
    return rounded;
}

void convolve(LayerGraph& layers, const std::string& name, Json params)
{
    params["bias"] = false; // the norm has one
    layers.add(name, "layer.conv2d", std::move(params));
    layers.add(name + "_norm", "layer.batch_norm");
}

void addBlock(LayerGraph& layers, std::int64_t inputs, std::int64_t outputs, int expansion, int stride)
{
    const std::string shortcut = layers.last();
    const std::int64_t inside = inputs * expansion;
    if (expansion != 1) {
        convolve(layers, "expand", {{"channels", inside}, {"kernel", 1}});
        layers.add("expand_relu", "layer.relu");
    }
    convolve(layers, "depthwise", {{"channels", inside}, {"kernel", 3}, {"stride", stride}, {"groups", inside}});
    layers.add("depthwise_relu", "layer.relu");
    convolve(layers, "project", {{"channels", outputs}, {"kernel", 1}});
    if (stride == 1 && inputs == outputs) layers.addFrom({layers.last(), shortcut}, "add", "layer.add");
}

Document expandMobilenet(const Values& values, const RowsSchema& schema)
{
    const double width = values.number("width"), dropout = values.number("dropout");
    const bool small = hasSmallStem(values, schema);
    LayerGraph layers;
    std::int64_t channels = scaled(32, width);
    layers.block("stem");
    convolve(layers, "conv", {{"channels", channels}, {"kernel", 3}, {"stride", small ? 1 : 2}});
    layers.add("relu", "layer.relu");
    int count = 0;
    for (const Stage& stage : kStages) {
        const std::int64_t outputs = scaled(stage.channels, width);
        for (int i = 0; i < stage.blocks; ++i) {
            // a small image is not halved as early
            const bool halves = i == 0 && !(small && stage.channels == 24);
            layers.block(str("block", ++count));
            addBlock(layers, channels, outputs, stage.expansion, halves ? stage.stride : 1);
            channels = outputs;
        }
    }
    layers.block("head");
    convolve(layers, "conv", {{"channels", scaled(1280, std::max(1.0, width))}, {"kernel", 1}});
    layers.add("relu", "layer.relu");
    layers.block({});
    layers.add("pool", "layer.global_average_pool");
    if (dropout > 0) layers.add("dropout", "layer.dropout", {{"rate", dropout}});
    layers.add("answer", "layer.dense");
    return layers.take();
}
} // namespace

Row mobilenet()
{
    Row row{modelType("model.mobilenet", "MobileNet",
                      "MobileNetV2 for images on small computers: blocks that widen, filter each channel by itself and "
                      "narrow again, with a shortcut between the narrow ends. Its activation is ReLU, where the paper "
                      "cuts off at 6 for arithmetic of 8 bits.",
                      "y = x + project(relu(depthwise(relu(expand(x)))))", "Sandler et al. 2018, arXiv:1801.04381."),
            Reads::Images, expandMobilenet};
    row.spec.params = {
        numberParam("width", "Width", "What the channels of the published network are multiplied with.", 1.0, 0.1, 4),
        stemParam(),
        dropoutParam(0.2, "Fraction of the last features that is set to zero while training"),
    };
    return row;
}

} // namespace millrace::pipeline::models
