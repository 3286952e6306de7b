#include "engine/plan/memory.h"

#include "engine/compile/program.h"
#include "engine/pipeline/model_builder.h"

#include <algorithm>

namespace millrace::plan {

namespace {

std::uint64_t rowBytes(const pipeline::RowsSchema& schema)
{
    const auto rows = static_cast<std::uint64_t>(std::max<std::int64_t>(0, schema.rows));
    return rows * (static_cast<std::uint64_t>(schema.features.elements()) + 1) * sizeof(float);
}

const pipeline::RowsSchema* rowsInto(const pipeline::Document& document, const pipeline::CheckReport& report,
                                     std::string_view node, std::string_view port)
{
    const pipeline::Link* link = document.linkInto(node, port);
    if (link == nullptr) return nullptr;
    const auto found = report.rows.find(link->from.node + "." + link->from.port);
    return found == report.rows.end() ? nullptr : &found->second;
}

Result<TrainingMemory> memoryOf(const pipeline::Document& document, const pipeline::Catalogue& catalogue,
                                const pipeline::CheckReport& report, const pipeline::Node& node,
                                const pipeline::NodeSpec& spec)
{
    const pipeline::RowsSchema* train = rowsInto(document, report, node.id, "train");
    const pipeline::Link* link = document.linkInto(node.id, "model");
    const pipeline::Node* model = link == nullptr ? nullptr : document.find(link->from.node);
    if (train == nullptr || model == nullptr) return makeError(Code::NotFound, "Its rows or model are not known.");
    const auto batch = pipeline::paramValue(node, spec, "batch_size").get<std::int64_t>();
    MR_TRY(const pipeline::Document layers, pipeline::expandModel(*model, catalogue, *train));
    MR_TRY(graph::Graph graph, pipeline::buildModel(layers, catalogue, *train, batch));
    const bool classes = train->target == pipeline::TargetKind::Classes;
    MR_TRY(graph, compile::withGradients(std::move(graph),
                                         classes ? compile::Loss::CrossEntropy : compile::Loss::MeanSquaredError));
    MR_TRY(const compile::Program program, compile::plan(std::move(graph), compile::Mode::Training));
    const bool sgd = pipeline::paramValue(node, spec, "optimizer") == "sgd";
    TrainingMemory memory;
    memory.weights = program.parameterBytes + program.stateBytes;
    memory.gradients = program.gradientBytes;
    memory.optimizer = program.parameterBytes * (sgd ? 1 : 2);
    memory.activations = program.workBytes;
    memory.rows = rowBytes(*train);
    if (const auto* validation = rowsInto(document, report, node.id, "validation"))
        memory.rows += rowBytes(*validation);
    return memory;
}

} // namespace

std::map<std::string, TrainingMemory> trainingMemory(const pipeline::Document& document,
                                                     const pipeline::Catalogue& catalogue,
                                                     const pipeline::CheckReport& report)
{
    std::map<std::string, TrainingMemory> all;
    if (!report.ok()) return all;
    for (const pipeline::Node& node : document.nodes) {
        const pipeline::NodeSpec* spec = catalogue.find(node.type);
        if (spec == nullptr || node.type != "train.supervised") continue;
        if (auto memory = memoryOf(document, catalogue, report, node, *spec)) all[node.id] = *memory;
    }
    return all;
}

nlohmann::json toJson(const TrainingMemory& memory)
{
    return {{"weights", memory.weights},         {"gradients", memory.gradients}, {"optimizer", memory.optimizer},
            {"activations", memory.activations}, {"rows", memory.rows},           {"total", memory.total()}};
}

} // namespace millrace::plan
