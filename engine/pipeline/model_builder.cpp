#include "engine/pipeline/model_builder.h"

#include "engine/pipeline/layer_build.h"
#include "engine/pipeline/models/models.h"
#include "kernels/base/text.h"

namespace millrace::pipeline {

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
    if (const models::Row* row = models::findRow(node.type)) {
        if (auto status = models::checkReads(*row, schema); !status) return std::move(status).error().atNode(node.id);
        return row->expand(Values(node, *spec), schema);
    }
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
