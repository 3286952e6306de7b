// Learned filters that slide over an image.
#include "engine/pipeline/layers/layers.h"

#include <algorithm>

namespace millrace::pipeline::layers {

namespace {
Result<std::vector<TensorId>> withBias(Site& site, TensorId weight, std::int64_t channels, std::int64_t fanIn)
{
    std::vector<TensorId> inputs{site.input(), weight};
    if (!site.flag("bias")) return inputs;
    MR_TRY(const TensorId bias, site.weight("bias", {channels}, Start::uniform(fanIn, 0, false)));
    inputs.push_back(bias);
    return inputs;
}

Built addConv2d(Site& site)
{
    const std::int64_t kernel = site.whole("kernel"), dilation = site.whole("dilation");
    const std::int64_t channels = site.whole("channels"), groups = site.whole("groups");
    const bool isSame = site.text("padding") == "same";
    const std::int64_t reach = dilation * (kernel - 1);
    if (isSame && reach % 2 != 0)
        return site.refuse(str("A kernel of ", kernel, " has no middle, so padding cannot keep the size."),
                           "Take an odd kernel, or padding valid.", "kernel");
    // the operation's shape rule tells what is wrong where the groups do not divide the channels
    const std::int64_t inputs = std::max<std::int64_t>(site.width() / groups, 1);
    const std::int64_t taps = kernel * kernel;
    MR_TRY(const TensorId weight,
           site.weight("weight", {channels, kernel, kernel, inputs},
                       Start::uniform(taps * inputs, std::max<std::int64_t>(taps * channels / groups, 1))));
    MR_TRY(auto operands, withBias(site, weight, channels, taps * inputs));
    return site.output("conv2d", std::move(operands),
                       {{"stride", site.whole("stride")},
                        {"padding", isSame ? reach / 2 : 0},
                        {"dilation", dilation},
                        {"groups", groups}});
}

std::string filters(const Values& values)
{
    return str(values.whole("kernel"), "×", values.whole("kernel"), ", ", formatCount(values.whole("channels")),
               " channels");
}

ParamSpec groupsParam()
{
    return advanced(integerParam("groups", "Groups",
                                 "Divides the channels into groups that do not see each other; as many as there are "
                                 "input channels: a depthwise convolution.",
                                 1, 1, 65536, "groups"));
}

Row conv2d()
{
    Row row{layerType("layer.conv2d", "Conv 2D", "Weights",
                      "Slides learned filters over an image. Weights and bias start uniformly within ±1/√(inputs of a "
                      "filter), as PyTorch's.",
                      "y[i,j,o] = b[o] + Σ w[o,u,v,c] · x[i·stride + u·dilation, j·stride + v·dilation, c]",
                      "Dumoulin, Visin 2016, arXiv:1603.07285."),
            addConv2d, filters};
    row.spec.params = {
        integerParam("channels", "Channels", "Number of filters, and so of output channels.", 32, 1, 65536, "channels"),
        integerParam("kernel", "Kernel", "Height and width of a filter.", 3, 1, 63, "pixels"),
        integerParam("stride", "Stride", "Pixels from one position of the filter to the next.", 1, 1, 63, "pixels"),
        choiceParam("padding", "Padding",
                    "same: zeros around the image, so that at stride 1 its size stays (odd kernels); valid: none.",
                    {"same", "valid"}, "same"),
        advanced(integerParam("dilation", "Dilation", "Distance of the filter's taps; 1: next to each other.", 1, 1, 63,
                              "pixels")),
        groupsParam(),
        biasParam(),
    };
    return row;
}

// How much of what the taps reach beyond the image is cut off: all of it, so that the result is stride times as large,
// or nothing. What an odd rest leaves is added back at the lower right.
Built addConvTranspose2d(Site& site)
{
    const std::int64_t kernel = site.whole("kernel"), dilation = site.whole("dilation"), stride = site.whole("stride");
    const std::int64_t channels = site.whole("channels"), groups = site.whole("groups");
    const bool isSame = site.text("padding") == "same";
    const std::int64_t beyond = isSame ? dilation * (kernel - 1) + 1 - stride : 0;
    const std::int64_t padding = beyond > 0 ? (beyond + 1) / 2 : 0;
    const std::int64_t outputs = std::max<std::int64_t>(channels / groups, 1);
    const std::int64_t taps = kernel * kernel;
    MR_TRY(const TensorId weight,
           site.weight("weight", {site.width(), kernel, kernel, outputs},
                       Start::uniform(taps * outputs, std::max<std::int64_t>(taps * site.width() / groups, 1))));
    MR_TRY(auto operands, withBias(site, weight, channels, taps * outputs));
    return site.output("conv_transpose2d", std::move(operands),
                       {{"stride", stride},
                        {"padding", padding},
                        {"output_padding", 2 * padding - beyond},
                        {"dilation", dilation},
                        {"groups", groups}});
}

Row convTranspose2d()
{
    Row row{layerType("layer.conv_transpose2d", "Transposed conv 2D", "Weights",
                      "Spreads each pixel over its surroundings by learned filters, so that an image becomes larger: "
                      "the way back of a convolution. Weights and bias start uniformly within ±1/√(outputs of a "
                      "filter), as PyTorch's.",
                      "y[i·stride + u·dilation, j·stride + v·dilation, o] += w[c,u,v,o] · x[i,j,c], + b[o]",
                      "Dumoulin, Visin 2016, arXiv:1603.07285, chapter 4."),
            addConvTranspose2d, filters};
    row.spec.params = {
        integerParam("channels", "Channels", "Number of output channels.", 32, 1, 65536, "channels"),
        integerParam("kernel", "Kernel", "Height and width of a filter.", 2, 1, 63, "pixels"),
        integerParam("stride", "Stride", "How many times larger the image becomes.", 2, 1, 63, "pixels"),
        choiceParam("padding", "Padding",
                    "same: cuts off what reaches beyond, so that the image becomes stride times as large; valid: keeps "
                    "it.",
                    {"same", "valid"}, "same"),
        advanced(integerParam("dilation", "Dilation", "Distance of the filter's taps; 1: next to each other.", 1, 1, 63,
                              "pixels")),
        groupsParam(),
        biasParam(),
    };
    return row;
}
} // namespace

std::vector<Row> convolution()
{
    return {conv2d(), convTranspose2d()};
}

} // namespace millrace::pipeline::layers
