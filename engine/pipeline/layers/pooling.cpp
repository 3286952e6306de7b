// Layers that make an image smaller without weights.
#include "engine/pipeline/layers/layers.h"

namespace millrace::pipeline::layers {

namespace {
std::string window(const Values& values)
{
    return str(values.whole("size"), "×", values.whole("size"));
}

Built addPool(Site& site)
{
    const std::int64_t size = site.whole("size"), stride = site.whole("stride"), padding = site.whole("padding");
    if (2 * padding > size)
        return site.refuse(str("A padding of ", padding, " is more than half of the window of ", size, "."),
                           "A window would see nothing but padding; take at most half its size.", "padding");
    return site.output(site.layer().spec.type == "layer.max_pool" ? "max_pool2d" : "average_pool2d", site.inputs(),
                       {{"size", size}, {"stride", stride == 0 ? size : stride}, {"padding", padding}});
}

Row pool(std::string type, std::string title, std::string help, std::string formula)
{
    Row row{layerType(std::move(type), std::move(title), "Pooling", std::move(help), std::move(formula)), addPool,
            window};
    row.spec.params = {
        integerParam("size", "Size", "Height and width of the window.", 2, 1, 255, "pixels"),
        integerParam("stride", "Stride", "Pixels from one window to the next; 0: as many as the window is wide.", 0, 0,
                     255, "pixels"),
        advanced(integerParam("padding", "Padding",
                              "Pixels around the image that the window may reach: never the largest for a maximum, "
                              "zeros for a mean.",
                              0, 0, 127, "pixels")),
    };
    return row;
}

Built addGlobal(Site& site)
{
    const Shape& x = site.shape();
    if (x.rank() != 4) return site.output("average_pool2d", site.inputs(), {{"size", std::int64_t{1}}}); // refuses it
    MR_TRY(const TensorId pooled,
           site.operation("average_pool2d", site.inputs(), {{"size", std::vector<std::int64_t>{x[1], x[2]}}}));
    return site.output("flatten", {pooled});
}

Row globalAveragePool()
{
    return {layerType("layer.global_average_pool", "Global average pool", "Pooling",
                      "The mean of each channel over the whole image: one flat row of channels, whatever the image's "
                      "size.",
                      "y[c] = mean over i, j of x[i,j,c]", "Lin, Chen, Yan 2013, arXiv:1312.4400."),
            addGlobal};
}

Built addAdaptive(Site& site)
{
    return site.output(site.layer().spec.type == "layer.adaptive_max_pool" ? "adaptive_max_pool2d"
                                                                           : "adaptive_average_pool2d",
                       site.inputs(), {{"size", site.whole("size")}});
}

Row adaptivePool(std::string type, std::string title, std::string help, std::string formula)
{
    Row row{layerType(std::move(type), std::move(title), "Pooling", std::move(help), std::move(formula)), addAdaptive,
            window};
    row.spec.params = {integerParam("size", "Size", "Height and width of the result.", 1, 1, 255, "pixels")};
    return row;
}
} // namespace

std::vector<Row> pooling()
{
    return {
        pool("layer.max_pool", "Max pool", "The largest value of each window of an image.", "y = max over the window"),
        pool("layer.average_pool", "Average pool", "The mean of each window of an image.", "y = mean over the window"),
        globalAveragePool(),
        adaptivePool("layer.adaptive_average_pool", "Adaptive average pool",
                     "The mean of each of as many windows as the result has pixels, whatever the image's size.",
                     "y[p,q] = mean over rows ⌊pH/P⌋ … ⌈(p+1)H/P⌉−1 and columns alike"),
        adaptivePool(
            "layer.adaptive_max_pool", "Adaptive max pool",
            "The largest value of each of as many windows as the result has pixels, whatever the image's size.",
            "y[p,q] = max over rows ⌊pH/P⌋ … ⌈(p+1)H/P⌉−1 and columns alike"),
    };
}

} // namespace millrace::pipeline::layers
