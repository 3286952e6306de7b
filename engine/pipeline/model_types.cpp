// The nodes that are models: layers drawn one by one, and families of which one node is a whole network.
#include "engine/pipeline/models/models.h"

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
} // namespace

std::vector<NodeSpec> modelTypes()
{
    std::vector<NodeSpec> types{layersModel()};
    for (const models::Row& row : models::rows()) types.push_back(row.spec);
    return types;
}

} // namespace millrace::pipeline
