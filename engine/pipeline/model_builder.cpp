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

namespace {
Result<graph::Graph> build(const Document& layers, const Catalogue& catalogue, const LayerBuildOptions& options)
{
    std::vector<Problem> problems;
    LayerBuild built = buildLayers(layers, catalogue, options, problems);
    for (Problem& problem : problems)
        if (problem.severity == Severity::Error) return std::move(problem.error);
    return std::move(built.graph);
}
} // namespace

Result<graph::Graph> buildModel(const Document& layers, const Catalogue& catalogue, const RowsSchema& schema,
                                std::int64_t batch)
{
    if (batch < 1) return makeError(Code::InvalidArgument, str("A batch of ", batch, " rows is not possible."));
    if (answersPerRow(schema) == 0)
        return makeError(Code::InvalidArgument,
                         "The rows have no target, so it is not known what the model is to answer.");
    LayerBuildOptions options;
    options.schema = &schema;
    options.batch = batch;
    return build(layers, catalogue, options);
}

Result<graph::Graph> buildDecoder(const Document& layers, const Catalogue& catalogue, const RowsSchema& schema,
                                  std::int64_t steps, std::int64_t places, std::int64_t batch)
{
    if (schema.target != TargetKind::NextToken || schema.vocabulary < 1)
        return makeError(Code::InvalidArgument, "The model does not predict the next token of a text.")
            .advise("Train one on tokens with a Train Language node.");
    if (steps < 1 || places < steps)
        return makeError(Code::InvalidArgument,
                         str("A piece of ", steps, " tokens does not fit the model's ", places, " places."));
    const RowsSchema piece = windowsOf(schema, steps);
    LayerBuildOptions options;
    options.schema = &piece;
    options.batch = batch;
    options.places = places;
    return build(layers, catalogue, options);
}

} // namespace millrace::pipeline
