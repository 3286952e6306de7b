// model.lenet: the convolutional network that read digits first.
#include "engine/pipeline/models/models.h"

#include <algorithm>

namespace millrace::pipeline::models {

namespace {
Document expandLenet(const Values& values, const RowsSchema& schema)
{
    // 5×5 filters without padding leave nothing of a very small image
    const bool tiny = schema.features.rank() == 3 && std::min(schema.features[0], schema.features[1]) < 20;
    const std::string activation = "layer." + values.text("activation");
    const std::string pool = values.text("pooling") == "max" ? "layer.max_pool" : "layer.average_pool";
    LayerGraph layers;
    const auto stage = [&](int index, int channels, const char* padding) {
        layers.block({});
        layers.add(str("conv", index), "layer.conv2d", {{"channels", channels}, {"kernel", 5}, {"padding", padding}});
        layers.add(str("activation", index), activation);
        layers.add(str("pool", index), pool);
    };
    stage(1, 6, "same");
    stage(2, 16, tiny ? "same" : "valid");
    layers.block({});
    layers.add("flatten", "layer.flatten");
    layers.add("dense1", "layer.dense", {{"units", 120}});
    layers.add("activation3", activation);
    layers.block({});
    layers.add("dense2", "layer.dense", {{"units", 84}});
    layers.add("activation4", activation);
    layers.add("answer", "layer.dense");
    return layers.take();
}
} // namespace

Row lenet()
{
    Row row{
        modelType("model.lenet", "LeNet",
                  "LeNet-5 for small images such as digits: two convolutions of 5×5 with pooling, then three dense "
                  "layers. Every filter sees all channels, and the answer is a dense layer. On images of fewer than "
                  "20 pixels the second convolution keeps the size.",
                  "6 filters 5×5, pool 2, 16 filters 5×5, pool 2, dense 120, dense 84, answer",
                  "LeCun, Bottou, Bengio, Haffner 1998, Proceedings of the IEEE 86."),
        Reads::Images, expandLenet};
    row.spec.params = {
        choiceParam("activation", "Activation", "What follows each layer; the original had tanh.",
                    {"relu", "tanh", "sigmoid", "gelu"}, "relu"),
        choiceParam("pooling", "Pooling", "What a window gives; the original took the mean.", {"max", "average"},
                    "max"),
    };
    return row;
}

} // namespace millrace::pipeline::models
