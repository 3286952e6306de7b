#include "engine/pipeline/model_builder.h"

#include "engine/pipeline/layer_build.h"
#include "kernels/base/text.h"

namespace millrace::pipeline {

namespace {
// Lays layers one after the other, in rows on the canvas.
class Chain
{
public:
    void add(std::string id, std::string type, Json params = Json::object())
    {
        constexpr double kColumnWidth = 260, kRowHeight = 140;
        constexpr std::size_t kColumns = 4;
        const std::size_t count = m_layers.nodes.size();
        Node node;
        node.id = std::move(id);
        node.type = std::move(type);
        node.x = kColumnWidth * static_cast<double>(count % kColumns);
        node.y = kRowHeight * static_cast<double>(count / kColumns);
        node.params = std::move(params);
        if (count > 0) m_layers.links.push_back({{m_layers.nodes.back().id, "out"}, {node.id, "in"}});
        m_layers.nodes.push_back(std::move(node));
    }
    Document take() { return std::move(m_layers); }

private:
    Document m_layers;
};

Document expandMlp(const Node& node, const NodeSpec& spec, const RowsSchema& schema)
{
    const auto hidden = usableValue(node, spec, "hidden").get<std::vector<std::int64_t>>();
    const auto activation = usableValue(node, spec, "activation").get<std::string>();
    const double dropout = usableValue(node, spec, "dropout").get<double>();
    Chain chain;
    chain.add("input", "layer.input");
    if (schema.features.rank() != 1) chain.add("flatten", "layer.flatten");
    for (std::size_t i = 0; i < hidden.size(); ++i) {
        chain.add(str("dense", i + 1), "layer.dense", {{"units", hidden[i]}});
        chain.add(str(activation, i + 1), str("layer.", activation));
        if (dropout > 0) chain.add(str("dropout", i + 1), "layer.dropout", {{"rate", dropout}});
    }
    chain.add("answer", "layer.dense");
    chain.add("output", "layer.output");
    return chain.take();
}
} // namespace

Result<Document> expandModel(const Node& node, const Catalogue& catalogue, const RowsSchema& schema)
{
    const NodeSpec* spec = catalogue.find(node.type);
    if (!spec)
        return makeError(Code::NotFound, str("This Millrace does not know the type '", printable(node.type), "'."))
            .atNode(node.id)
            .advise(didYouMean(node.type, catalogue.typeNames()));
    for (const ParamSpec& param : spec->params)
        if (auto status = checkParam(param, paramValue(node, *spec, param.id)); !status)
            return std::move(status).error().atNode(node.id, param.id);
    if (node.type == "model.mlp") return expandMlp(node, *spec, schema);
    if (node.type != "model.layers")
        return makeError(Code::InvalidArgument, str(spec->title, " (", spec->type, ") is no model.")).atNode(node.id);
    auto layers = layersFromJson(paramValue(node, *spec, "layers"));
    if (!layers) return std::move(layers).error().atNode(node.id, "layers");
    return layers;
}

Result<graph::Graph> buildModel(const Document& layers, const Catalogue& catalogue, const RowsSchema& schema,
                                std::int64_t batch)
{
    if (batch < 1) return makeError(Code::InvalidArgument, str("A batch of ", batch, " rows is not possible."));
    if (answersPerRow(schema) == 0)
        return makeError(Code::InvalidArgument,
                         "The rows have no target, so it is not known what the model is to answer.");
    std::vector<Problem> problems;
    LayerBuildOptions options;
    options.schema = &schema;
    options.batch = batch;
    LayerBuild build = buildLayers(layers, catalogue, options, problems);
    for (Problem& problem : problems)
        if (problem.severity == Severity::Error) return std::move(problem.error);
    return std::move(build.graph);
}

} // namespace millrace::pipeline
