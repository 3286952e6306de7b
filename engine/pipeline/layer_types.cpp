// Layers are those of a nested graph. A row goes through them without its batch: 8×8×1 for an image (height, width,
// channels), 30 for a table of 30 columns.
#include "engine/pipeline/node_types.h"

namespace millrace::pipeline {

namespace {
NodeSpec layer(std::string type, std::string title, std::string category, std::string help, std::string formula = {},
               std::string source = {})
{
    NodeSpec spec;
    spec.type = std::move(type);
    spec.title = std::move(title);
    spec.category = std::move(category);
    spec.help = std::move(help);
    spec.formula = std::move(formula);
    spec.source = std::move(source);
    spec.inputs = {{"in", "In", PortType::Tensor, true}};
    spec.outputs = {{"out", "Out", PortType::Tensor, true}};
    spec.cacheable = false; // a layer is no stage
    spec.isLayer = true;
    return spec;
}

NodeSpec inputLayer()
{
    NodeSpec spec = layer("layer.input", "Input", "In and out", "The features of a row. Each model has one.");
    spec.inputs.clear();
    return spec;
}

NodeSpec outputLayer()
{
    NodeSpec spec = layer("layer.output", "Output", "In and out",
                          "What the model answers: one value for each class (the softmax is part of training and of "
                          "prediction, not of the model), or one number. Each model has one.");
    spec.outputs.clear();
    return spec;
}

NodeSpec dense()
{
    NodeSpec spec =
        layer("layer.dense", "Dense", "Weights", "Every output sees every input of a flat row.", "y = W·x + b");
    spec.params = {integerParam("units", "Units",
                                "Number of outputs; 0: as many as the target needs, one for each class.", 0, 0, 65536,
                                "units")};
    return spec;
}

NodeSpec conv2d()
{
    NodeSpec spec = layer("layer.conv2d", "Conv 2D", "Weights", "Slides learned filters over an image.",
                          "y[i,j,o] = b[o] + Σ w[o,u,v,c] · x[i·stride + u·dilation, j·stride + v·dilation, c]",
                          "Dumoulin, Visin 2016, arXiv:1603.07285.");
    spec.params = {
        integerParam("channels", "Channels", "Number of filters, and so of output channels.", 32, 1, 65536, "channels"),
        integerParam("kernel", "Kernel", "Height and width of a filter.", 3, 1, 63, "pixels"),
        integerParam("stride", "Stride", "Pixels from one position of the filter to the next.", 1, 1, 63, "pixels"),
        choiceParam("padding", "Padding",
                    "same: zeros around the image, so that at stride 1 its size stays (odd kernels); valid: none.",
                    {"same", "valid"}, "same"),
        advanced(integerParam("dilation", "Dilation", "Distance of the filter's taps; 1: next to each other.", 1, 1, 63,
                              "pixels")),
        advanced(integerParam("groups", "Groups",
                              "Divides the channels into groups that do not see each other; as many as there are input "
                              "channels: a depthwise convolution.",
                              1, 1, 65536, "groups")),
    };
    return spec;
}

NodeSpec pool(std::string type, std::string title, std::string help, std::string formula)
{
    NodeSpec spec = layer(std::move(type), std::move(title), "Pooling", std::move(help), std::move(formula));
    spec.params = {
        integerParam("size", "Size", "Height and width of the window.", 2, 1, 255, "pixels"),
        integerParam("stride", "Stride", "Pixels from one window to the next; 0: as many as the window is wide.", 0, 0,
                     255, "pixels"),
    };
    return spec;
}

NodeSpec batchNorm()
{
    NodeSpec spec = layer("layer.batch_norm", "Batch norm", "Regularisation",
                          "Brings each channel to mean 0 and deviation 1 over the batch, then scales and shifts it as "
                          "learned. Prediction uses running means from training.",
                          "y = scale · (x − mean) / √(variance + ε) + bias", "Ioffe, Szegedy 2015, arXiv:1502.03167.");
    spec.params = {
        advanced(numberParam("momentum", "Momentum", "Weight of the newest batch in the running mean and variance.",
                             0.1, 0.0001, 1)),
        advanced(numberParam("epsilon", "Epsilon", "Keeps the division away from zero.", 1e-5, 1e-10, 1)),
    };
    return spec;
}

NodeSpec dropout()
{
    NodeSpec spec = layer("layer.dropout", "Dropout", "Regularisation",
                          "Sets a random part of the values to zero while training and scales the others up; does "
                          "nothing in prediction.",
                          "y = x · mask / (1 − rate)", "Srivastava et al. 2014, JMLR 15.");
    spec.params = {numberParam("rate", "Rate", "Fraction of the values that is set to zero.", 0.2, 0, 0.95)};
    return spec;
}

NodeSpec reshape()
{
    NodeSpec spec = layer("layer.reshape", "Reshape", "Shape", "The same values in another shape.");
    spec.params = {integerListParam("shape", "Shape",
                                    "Sizes of the new shape, without the batch; one may be -1 and takes what is left.",
                                    Json::array({-1}), -1, 1e9)};
    return spec;
}

NodeSpec add()
{
    NodeSpec spec = layer("layer.add", "Add", "Shape", "The sum of two tensors of one shape, as in a residual block.",
                          "y = a + b", "He et al. 2016, arXiv:1512.03385.");
    spec.inputs = {{"a", "A", PortType::Tensor, true}, {"b", "B", PortType::Tensor, true}};
    return spec;
}
} // namespace

std::vector<NodeSpec> layerTypes()
{
    return {
        inputLayer(),
        outputLayer(),
        dense(),
        conv2d(),
        pool("layer.max_pool", "Max pool", "The largest value of each window of an image.", "y = max over the window"),
        pool("layer.average_pool", "Average pool", "The mean of each window of an image.", "y = mean over the window"),
        batchNorm(),
        dropout(),
        layer("layer.relu", "ReLU", "Activation", "Lets positive values through and makes the others zero.",
              "y = max(0, x)"),
        layer("layer.gelu", "GELU", "Activation",
              "A smooth ReLU: each value times the chance that a standard normal "
              "number is smaller.",
              "y = x · Φ(x)", "Hendrycks, Gimpel 2016, arXiv:1606.08415."),
        layer("layer.tanh", "Tanh", "Activation", "Squeezes values into −1 … 1.", "y = tanh(x)"),
        layer("layer.sigmoid", "Sigmoid", "Activation", "Squeezes values into 0 … 1.", "y = 1 / (1 + e^−x)"),
        layer("layer.flatten", "Flatten", "Shape", "All values of a row in one line, as dense layers take them."),
        reshape(),
        add(),
    };
}

} // namespace millrace::pipeline
