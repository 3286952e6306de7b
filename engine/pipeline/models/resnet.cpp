// model.resnet: residual networks of 18, 34 and 50 layers.
#include "engine/pipeline/models/models.h"

#include <array>

namespace millrace::pipeline::models {

namespace {
struct Depth
{
    std::string_view name;
    std::array<int, 4> blocks; ///< of each stage
    bool bottleneck;
};
constexpr std::array<Depth, 3> kDepths{
    {{"18", {2, 2, 2, 2}, false}, {"34", {3, 4, 6, 3}, false}, {"50", {3, 4, 6, 3}, true}}};

// A convolution without bias (the norm has one) and its norm.
void convolve(LayerGraph& layers, const std::string& number, std::int64_t channels, int kernel, int stride)
{
    layers.add("conv" + number, "layer.conv2d",
               {{"channels", channels}, {"kernel", kernel}, {"stride", stride}, {"bias", false}});
    layers.add("norm" + number, "layer.batch_norm");
}

void addStem(LayerGraph& layers, bool small, std::int64_t width)
{
    layers.block("stem");
    convolve(layers, "", width, small ? 3 : 7, small ? 1 : 2);
    layers.add("relu", "layer.relu");
    if (!small) layers.add("pool", "layer.max_pool", {{"size", 3}, {"stride", 2}, {"padding", 1}});
}

struct Block
{
    std::int64_t width = 64; ///< channels inside; a bottleneck gives four times as many
    int stride = 1;
    bool bottleneck = false;
    bool project = false; ///< the shortcut needs another shape

    std::int64_t outputs() const { return bottleneck ? 4 * width : width; }
};

void addBlock(LayerGraph& layers, const Block& block)
{
    std::string shortcut = layers.last();
    if (block.bottleneck) {
        convolve(layers, "1", block.width, 1, 1);
        layers.add("relu1", "layer.relu");
        convolve(layers, "2", block.width, 3, block.stride); // the stride is here in torchvision's version 1.5
        layers.add("relu2", "layer.relu");
        convolve(layers, "3", block.outputs(), 1, 1);
    } else {
        convolve(layers, "1", block.width, 3, block.stride);
        layers.add("relu1", "layer.relu");
        convolve(layers, "2", block.width, 3, 1);
    }
    if (block.project) {
        shortcut =
            layers.addAside(shortcut, "shortcut", "layer.conv2d",
                            {{"channels", block.outputs()}, {"kernel", 1}, {"stride", block.stride}, {"bias", false}});
        shortcut = layers.addAside(shortcut, "shortcut_norm", "layer.batch_norm");
    }
    layers.addFrom({layers.last(), shortcut}, "add", "layer.add");
    layers.add("relu", "layer.relu");
}

Document expandResnet(const Values& values, const RowsSchema& schema)
{
    const std::string name = values.text("depth");
    const auto depth =
        *std::find_if(kDepths.begin(), kDepths.end(), [&](const Depth& each) { return each.name == name; });
    const std::int64_t width = values.whole("width");
    LayerGraph layers;
    addStem(layers, hasSmallStem(values, schema), width);
    std::int64_t channels = width;
    int count = 0;
    for (std::size_t stage = 0; stage < depth.blocks.size(); ++stage) {
        for (int i = 0; i < depth.blocks[stage]; ++i) {
            Block block{width << stage, stage > 0 && i == 0 ? 2 : 1, depth.bottleneck, false};
            block.project = block.stride != 1 || channels != block.outputs();
            channels = block.outputs();
            layers.block(str("block", ++count));
            addBlock(layers, block);
        }
    }
    layers.block({});
    layers.add("pool", "layer.global_average_pool");
    layers.add("answer", "layer.dense");
    return layers.take();
}
} // namespace

Row resnet()
{
    Row row{modelType("model.resnet", "ResNet",
                      "A residual network for images: blocks of convolutions whose input is added to their output, in "
                      "four stages of half the size and twice the channels each. 18 and 34 have blocks of two 3×3 "
                      "convolutions, 50 has bottlenecks with the stride at the 3×3 convolution.",
                      "y = relu(F(x) + x) for each block, F = two or three convolutions with batch norm",
                      "He, Zhang, Ren, Sun 2016, arXiv:1512.03385; stride as torchvision's v1.5."),
            Reads::Images, expandResnet};
    row.spec.params = {
        choiceParam("depth", "Depth", "Layers with weights: more learn more and take longer.", {"18", "34", "50"},
                    "18"),
        integerParam("width", "Width", "Channels of the first stage; the published networks have 64.", 64, 4, 1024,
                     "channels"),
        stemParam(),
    };
    return row;
}

} // namespace millrace::pipeline::models
