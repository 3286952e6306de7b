// The nodes that are models: layers drawn one by one, and families of which one node is a whole network.
#include "engine/pipeline/node_types.h"

namespace millrace::pipeline {

namespace {
// What a new Layers node starts with: the smallest network that learns something.
Json startLayers()
{
    return Json::parse(R"({
        "nodes": [
            {"id": "input", "type": "layer.input", "at": [0, 0]},
            {"id": "flatten", "type": "layer.flatten", "at": [0, 120]},
            {"id": "hidden", "type": "layer.dense", "at": [0, 240], "params": {"units": 64}},
            {"id": "relu", "type": "layer.relu", "at": [0, 360]},
            {"id": "answer", "type": "layer.dense", "at": [0, 480]},
            {"id": "output", "type": "layer.output", "at": [0, 600]}
        ],
        "links": [["input.out", "flatten.in"], ["flatten.out", "hidden.in"], ["hidden.out", "relu.in"],
                  ["relu.out", "answer.in"], ["answer.out", "output.in"]]
    })");
}

NodeSpec layersModel()
{
    NodeSpec spec = nodeType("model.layers", "Layers", "Model",
                             "A network drawn layer by layer. Open the node to edit its layers.");
    spec.outputs = {modelPort()};
    ParamSpec layers;
    layers.id = "layers";
    layers.title = "Layers";
    layers.help = "The graph of layers, from one layer.input to one layer.output.";
    layers.kind = ParamKind::Layers;
    layers.defaultValue = startLayers();
    spec.params = {layers};
    return spec;
}

NodeSpec mlpModel()
{
    NodeSpec spec =
        nodeType("model.mlp", "MLP", "Model",
                 "A multi-layer perceptron: dense layers one after the other, each followed by the activation "
                 "and by dropout, then one output a class (or one number).");
    spec.formula = "h = dropout(activation(W·x + b)) for each hidden layer; output = W·h + b";
    spec.outputs = {modelPort()};
    spec.params = {
        integerListParam("hidden", "Hidden layers", "Units of each hidden layer; none gives a linear model.",
                         Json::array({128}), 1, 16384, "units"),
        choiceParam("activation", "Activation", "What each hidden layer applies to its outputs.",
                    {"relu", "gelu", "tanh", "sigmoid"}, "relu"),
        numberParam("dropout", "Dropout", "Fraction of the hidden outputs that is set to zero while training; 0: none.",
                    0.0, 0, 0.95),
    };
    return spec;
}

} // namespace

std::vector<NodeSpec> modelTypes()
{
    return {layersModel(), mlpModel()};
}

} // namespace millrace::pipeline
