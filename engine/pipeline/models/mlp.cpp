// model.mlp: dense layers one after the other.
#include "engine/pipeline/models/models.h"

namespace millrace::pipeline::models {

namespace {
Document expandMlp(const Values& values, const RowsSchema& schema)
{
    const auto hidden = values.list("hidden");
    const auto activation = values.text("activation");
    const double dropout = values.number("dropout");
    LayerGraph layers;
    if (schema.features.rank() != 1) layers.add("flatten", "layer.flatten");
    for (std::size_t i = 0; i < hidden.size(); ++i) {
        layers.block({});
        layers.add(str("dense", i + 1), "layer.dense", {{"units", hidden[i]}});
        layers.add(str(activation, i + 1), str("layer.", activation));
        if (dropout > 0) layers.add(str("dropout", i + 1), "layer.dropout", {{"rate", dropout}});
    }
    layers.block({});
    layers.add("answer", "layer.dense");
    return layers.take();
}
} // namespace

Row mlp()
{
    Row row{modelType("model.mlp", "MLP",
                      "A multi-layer perceptron: dense layers one after the other, each followed by the activation and "
                      "by dropout, then one output a class (or one number).",
                      "h = dropout(activation(W·x + b)) for each hidden layer; output = W·h + b",
                      "Rumelhart, Hinton, Williams 1986, Nature 323."),
            Reads::Numbers, expandMlp};
    row.spec.params = {
        integerListParam("hidden", "Hidden layers", "Units of each hidden layer; none gives a linear model.",
                         Json::array({128}), 1, 16384, "units"),
        choiceParam("activation", "Activation", "What each hidden layer applies to its outputs.",
                    {"relu", "gelu", "silu", "leaky_relu", "elu", "tanh", "sigmoid"}, "relu"),
        dropoutParam(0.0, "Fraction of the hidden outputs that is set to zero while training"),
    };
    return row;
}

} // namespace millrace::pipeline::models
