#include "engine/pipeline/check.h"
#include "engine/pipeline/layer_build.h"
#include "engine/pipeline/layer_operations.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

namespace millrace::pipeline {

namespace {
std::string withParameters(std::string fact, std::int64_t parameters)
{
    if (parameters == 0) return fact;
    return str(fact, fact.empty() ? "" : " · ", formatCount(parameters), " parameters");
}

std::string factOf(std::size_t index, const Document& layers, const LayerBuild& build, const RowsSchema& schema)
{
    const NodeSpec* spec = build.structure.specs[index];
    if (!spec) return {};
    if (spec->type == "layer.output" && schema.target == TargetKind::Classes)
        return str(formatCount(static_cast<std::int64_t>(schema.classes.size())), " classes");
    if (spec->type == "layer.output" && schema.target == TargetKind::NextToken)
        return str("the next of ", formatCount(schema.vocabulary), " tokens");
    if (spec->type == "layer.output") return schema.target == TargetKind::Number ? "1 number" : "";
    const auto output = build.outputs[index];
    const std::string shape = output ? rowShape(build.graph.tensor(*output).shape) : std::string();
    if (spec->type == "layer.input") return shape;
    const std::string fact = layerFact(layers.nodes[index], *spec);
    return withParameters(fact.empty() ? shape : fact, build.parameters[index]);
}
} // namespace

CheckReport checkLayers(const Document& layers, const Catalogue& catalogue, const RowsSchema& schema)
{
    CheckReport report;
    LayerBuildOptions options;
    options.schema = schema.features.rank() > 0 ? &schema : nullptr;
    options.unusedToo = true;
    const LayerBuild build = buildLayers(layers, catalogue, options, report.problems);
    for (std::size_t i = 0; i < layers.nodes.size(); ++i)
        if (std::string fact = factOf(i, layers, build, schema); !fact.empty())
            report.nodeFacts[layers.nodes[i].id] = std::move(fact);
    for (std::size_t i = 0; i < layers.links.size(); ++i) {
        const auto from = build.structure.indices.find(layers.links[i].from.node);
        const bool known = build.structure.linkValid[i] && build.outputs[from->second];
        report.linkShapes.push_back(known ? rowShape(build.graph.tensor(*build.outputs[from->second]).shape) : "");
    }
    return report;
}

} // namespace millrace::pipeline
