#include "engine/train/training_program.h"

#include "engine/compile/precision.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <set>

namespace millrace::train {

Result<compile::Program> trainingProgram(const TrainingModel& model, const StepSettings& settings, std::int64_t batch)
{
    MR_TRY(graph::Graph graph, pipeline::buildModel(model.layers, model.catalogue, model.schema, batch));
    if (!settings.device && settings.precision == "f16")
        return makeError(Code::Unsupported, "The precision f16 needs a GPU.").advise("Use bf16 or f32 on the CPU.");
    const bool ofProducts = settings.device ? settings.precision == "tf32" : settings.precision != "f32";
    if (ofProducts) { // on a GPU, bf16 and f16 are how activations are stored
        MR_TRY(graph, compile::withPrecision(std::move(graph), settings.precision));
    }
    compile::LossOptions options = model.options;
    options.labelSmoothing = settings.labelSmoothing;
    MR_TRY(graph, compile::withGradients(std::move(graph), model.loss, options));
    if (settings.recompute == "blocks") {
        MR_TRY(graph, compile::withRecompute(graph));
    }
    return execute::planFor(std::move(graph), compile::Mode::Training, settings.place());
}

namespace {

/// The parameters of two dimensions that are no matrix of a hidden layer: tables, which hold a row for each token or
/// place, and what the last of the layers multiplies with.
std::set<graph::TensorId> outsideHiddenLayers(const graph::Graph& graph)
{
    std::set<graph::TensorId> found;
    const graph::Operation* last = nullptr;
    const graph::TensorId loss = graph.ports().at("loss");
    for (const graph::Operation& operation : graph.operations()) {
        if (operation.outputs.front() == loss) break; // what follows is the way back
        for (const graph::TensorId id : operation.inputs) {
            const graph::Tensor& tensor = graph.tensor(id);
            if (tensor.role != graph::Role::Parameter || tensor.shape.rank() != 2) continue;
            if (operation.kind == "embedding" || operation.kind == "position") found.insert(id);
            last = &operation;
        }
    }
    if (last) found.insert(last->inputs.begin(), last->inputs.end());
    return found;
}

} // namespace

ParameterLayout parameterLayout(const compile::Program& program)
{
    ParameterLayout layout{{}, static_cast<std::size_t>((program.parameterBytes + 63) / 64 * 64 / sizeof(float))};
    const std::set<graph::TensorId> outside = outsideHiddenLayers(program.graph);
    for (graph::TensorId id = 0; id < program.placements.size(); ++id) {
        const compile::Placement& placement = program.placements[id];
        if (placement.arena != compile::Placement::Arena::Parameters) continue;
        const graph::Tensor& tensor = program.graph.tensor(id);
        const std::uint64_t begin = placement.offset / sizeof(float);
        kernels::Segment segment{begin, begin + static_cast<std::uint64_t>(tensor.shape.elements()), tensor.decay};
        if (tensor.shape.rank() == 2 && !outside.contains(id)) {
            segment.rows = tensor.shape[0];
            segment.columns = tensor.shape[1];
        }
        layout.segments.push_back(segment);
    }
    std::ranges::sort(layout.segments, {}, &kernels::Segment::begin);
    return layout;
}

} // namespace millrace::train
