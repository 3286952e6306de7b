#include "engine/plan/memory.h"

#include "engine/compile/fusion.h"
#include "engine/compile/precision.h"
#include "engine/compile/program.h"
#include "engine/compile/storage.h"
#include "engine/pipeline/model_builder.h"
#include "engine/pipeline/optimizer_types.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <set>

namespace millrace::plan {

namespace {

constexpr std::int64_t kEvaluationBatch = 256;     // rows that the evaluator looks at together
constexpr std::uint64_t kRowsInMemory = 64u << 20; // more are read from disk,
constexpr std::uint64_t kLoaderBytes = 128u << 20; // by a loader that holds so much of them
constexpr std::uint64_t kBatchesOnTheirWay = 3;    // to a GPU

/// A training node with all that it trains on and how.
struct Training
{
    const pipeline::Node& node;
    const pipeline::NodeSpec& spec;
    pipeline::Document layers;
    pipeline::RowsSchema schema;       ///< of a row, or of a window of tokens
    const pipeline::RowsSchema& train; ///< all rows or tokens
    const pipeline::RowsSchema* validation = nullptr;
    const pipeline::Catalogue& catalogue;
    const pipeline::OptimizerType& optimizer;
    Machine machine;

    std::int64_t whole(std::string_view id) const { return value(id).get<std::int64_t>(); }
    double number(std::string_view id) const { return value(id).get<double>(); }
    std::string text(std::string_view id) const { return value(id).get<std::string>(); }
    bool isLanguage() const { return schema.target == pipeline::TargetKind::NextToken; }

private:
    nlohmann::ordered_json value(std::string_view id) const { return pipeline::paramValue(node, spec, id); }
};

const pipeline::RowsSchema* rowsInto(const pipeline::Document& document, const pipeline::CheckReport& report,
                                     std::string_view node, std::string_view port)
{
    const pipeline::Link* link = document.linkInto(node, port);
    if (link == nullptr) return nullptr;
    const auto found = report.rows.find(link->from.node + "." + link->from.port);
    return found == report.rows.end() ? nullptr : &found->second;
}

std::uint64_t rowBytes(const pipeline::RowsSchema& schema)
{
    const auto rows = static_cast<std::uint64_t>(std::max<std::int64_t>(0, schema.rows));
    if (schema.vocabulary > 0) return rows * sizeof(std::int32_t);
    const std::uint64_t bytes = rows * (static_cast<std::uint64_t>(schema.features.elements()) + 1) * sizeof(float);
    return bytes <= kRowsInMemory ? bytes : kLoaderBytes;
}

compile::Loss lossOf(const Training& training)
{
    const std::string name = training.isLanguage() ? "auto" : training.text("loss");
    if (name == "binary_cross_entropy") return compile::Loss::BinaryCrossEntropy;
    if (name == "mse") return compile::Loss::MeanSquaredError;
    if (name == "mae") return compile::Loss::MeanAbsoluteError;
    if (name == "huber") return compile::Loss::Huber;
    return training.schema.target == pipeline::TargetKind::Number ? compile::Loss::MeanSquaredError
                                                                  : compile::Loss::CrossEntropy;
}

/// A complete graph's program, as the executor of the machine has it.
Result<compile::Program> planned(const Training& training, graph::Graph graph, compile::Mode mode)
{
    if (training.machine == Machine::Gpu) {
        MR_TRY(graph, compile::withFusion(graph));
        const std::string precision = training.text("precision");
        if (precision == "bf16" || precision == "f16") {
            MR_TRY(graph, compile::withStorage(graph, precision == "bf16" ? DType::BF16 : DType::F16));
        }
    }
    return compile::plan(std::move(graph), mode);
}

Result<compile::Program> stepProgram(const Training& training, std::int64_t batch, bool recompute)
{
    MR_TRY(graph::Graph graph, pipeline::buildModel(training.layers, training.catalogue, training.schema, batch));
    const std::string precision = training.text("precision");
    if (training.machine == Machine::Cpu && precision == "f16")
        return makeError(Code::Unsupported, "The precision f16 needs a GPU.");
    if (precision == "tf32" || (training.machine == Machine::Cpu && precision != "f32")) {
        MR_TRY(graph, compile::withPrecision(std::move(graph), precision));
    }
    compile::LossOptions options;
    options.labelSmoothing = training.number("label_smoothing");
    MR_TRY(graph, compile::withGradients(std::move(graph), lossOf(training), options));
    if (recompute) {
        MR_TRY(graph, compile::withRecompute(graph));
    }
    return planned(training, std::move(graph), compile::Mode::Training);
}

Result<std::uint64_t> evaluationBytes(const Training& training, std::int64_t rows, std::int64_t batch)
{
    std::uint64_t bytes = 0;
    for (const std::int64_t size : std::set<std::int64_t>{std::min(rows, batch), rows > batch ? rows % batch : 0}) {
        if (size < 1) continue;
        MR_TRY(graph::Graph graph, pipeline::buildModel(training.layers, training.catalogue, training.schema, size));
        if (training.isLanguage()) {
            MR_TRY(graph, compile::withLoss(std::move(graph), compile::Loss::CrossEntropy));
            graph.ports().erase("output"); // the loss is all that is read
        }
        MR_TRY(const compile::Program program, planned(training, std::move(graph), compile::Mode::Inference));
        bytes += program.workBytes;
    }
    return bytes;
}

/// The sizes of the batches, or of their parts, for which programs are made.
std::vector<std::int64_t> batchSizes(const Training& training)
{
    const std::int64_t part =
        std::max<std::int64_t>(training.whole("batch_size") / training.whole("gradient_accumulation"), 1);
    if (training.isLanguage() || training.train.rows < 0) return {part};
    const std::int64_t rest = training.train.rows % part;
    if (training.train.rows < part) return {std::max<std::int64_t>(training.train.rows, 1)};
    if (rest > 1 || (rest == 1 && training.whole("gradient_accumulation") > 1)) return {part, rest};
    return {part};
}

Result<std::uint64_t> measuring(const Training& training)
{
    if (!training.isLanguage())
        return training.validation
                   ? evaluationBytes(training, std::max<std::int64_t>(training.validation->rows, 0), kEvaluationBatch)
                   : Result<std::uint64_t>(0);
    const auto held = static_cast<std::int64_t>(
        std::llround(training.number("validation") * static_cast<double>(training.train.rows)));
    const std::int64_t windows = held > 0 ? (held - 1) / training.whole("context") : 0;
    return evaluationBytes(training, windows, batchSizes(training).front());
}

/// What is kept beside the programs, in multiples of the parameters.
void addCopies(const Training& training, std::uint64_t parameterBytes, TrainingMemory& memory)
{
    if (training.optimizer.fullBatch || training.whole("gradient_accumulation") > 1) memory.gradients += parameterBytes;
    memory.optimizer = parameterBytes * static_cast<std::uint64_t>(training.optimizer.states);
    if (training.number("average") > 0) memory.averages += parameterBytes;
    if (training.machine == Machine::Cpu && !training.isLanguage() && training.whole("early_stopping") > 0)
        memory.averages += memory.weights;
}

/// The inputs of one step.
std::uint64_t inputBytes(const compile::Program& program)
{
    std::uint64_t bytes = 0;
    for (graph::TensorId id = 0; id < program.placements.size(); ++id)
        if (program.graph.tensor(id).role == graph::Role::Input) bytes += program.placements[id].sizeBytes;
    return bytes;
}

Result<TrainingMemory> memoryOf(const Training& training)
{
    TrainingMemory memory;
    memory.machine = training.machine;
    memory.recomputes = training.text("recompute") == "blocks";
    std::uint64_t parameterBytes = 0;
    for (const std::int64_t batch : batchSizes(training)) {
        MR_TRY(const compile::Program program, stepProgram(training, batch, memory.recomputes));
        MR_TRY(const compile::Program other, stepProgram(training, batch, !memory.recomputes));
        if (parameterBytes == 0) {
            parameterBytes = program.parameterBytes;
            memory.weights = program.parameterBytes + program.stateBytes;
            memory.mirror = program.mirrorBytes;
            if (training.machine == Machine::Gpu) memory.staging = kBatchesOnTheirWay * inputBytes(program);
            memory.stepFlops = program.graph.cost().flops;
            memory.otherFlops = other.graph.cost().flops;
        }
        memory.gradients += program.gradientBytes;
        memory.activations += program.workBytes;
        memory.otherActivations += other.workBytes;
    }
    addCopies(training, parameterBytes, memory);
    MR_TRY(memory.evaluation, measuring(training));
    memory.rows = rowBytes(training.train);
    if (training.validation) memory.rows += rowBytes(*training.validation);
    return memory;
}

Result<TrainingMemory> memoryOfNode(const pipeline::Document& document, const pipeline::Catalogue& catalogue,
                                    const pipeline::CheckReport& report, const pipeline::Node& node,
                                    const pipeline::NodeSpec& spec, Machine machine)
{
    const bool language = node.type == "train.language";
    const pipeline::RowsSchema* train = rowsInto(document, report, node.id, language ? "tokens" : "train");
    const pipeline::Link* link = document.linkInto(node.id, "model");
    const pipeline::Node* model = link == nullptr ? nullptr : document.find(link->from.node);
    if (train == nullptr || model == nullptr) return makeError(Code::NotFound, "Its rows or model are not known.");
    pipeline::RowsSchema schema = *train;
    if (language) schema = pipeline::windowsOf(*train, pipeline::paramValue(node, spec, "context").get<std::int64_t>());
    MR_TRY(pipeline::Document layers, pipeline::expandModel(*model, catalogue, schema));
    const auto optimizer = pipeline::paramValue(node, spec, "optimizer").get<std::string>();
    return memoryOf({node, spec, std::move(layers), std::move(schema), *train,
                     rowsInto(document, report, node.id, "validation"), catalogue, *pipeline::findOptimizer(optimizer),
                     machine});
}

/// The largest part, and what makes it smaller.
std::pair<std::string, std::string> largestPart(const TrainingMemory& memory)
{
    struct Part
    {
        std::uint64_t bytes;
        const char *name, *advice;
    };
    const std::array<Part, 5> parts{{
        {memory.activations, "activations", "Take a smaller batch, gradient accumulation or recompute blocks."},
        {memory.weights + memory.mirror + memory.gradients, "weights and their gradients", "Take a smaller model."},
        {memory.optimizer, "the optimizer", "Take an optimizer that keeps less, such as lion or sgd."},
        {memory.averages + memory.evaluation, "averages and measuring", "Do without weight averaging."},
        {memory.machine == Machine::Cpu ? memory.rows : memory.staging, "rows", "Take fewer rows."},
    }};
    const Part& largest =
        *std::max_element(parts.begin(), parts.end(), [](const Part& a, const Part& b) { return a.bytes < b.bytes; });
    return {str(formatBytes(static_cast<double>(largest.bytes)), " of it for ", largest.name), largest.advice};
}

} // namespace

std::map<std::string, TrainingMemory> trainingMemory(const pipeline::Document& document,
                                                     const pipeline::Catalogue& catalogue,
                                                     const pipeline::CheckReport& report, Machine machine)
{
    std::map<std::string, TrainingMemory> all;
    if (!report.ok()) return all;
    for (const pipeline::Node& node : document.nodes) {
        const pipeline::NodeSpec* spec = catalogue.find(node.type);
        if (spec == nullptr || (node.type != "train.supervised" && node.type != "train.language")) continue;
        if (auto memory = memoryOfNode(document, catalogue, report, node, *spec, machine)) all[node.id] = *memory;
    }
    return all;
}

std::vector<pipeline::Problem> memoryProblems(const std::map<std::string, TrainingMemory>& memory,
                                              std::uint64_t freeBytes)
{
    std::vector<pipeline::Problem> problems;
    for (const auto& [node, bytes] : memory) {
        if (freeBytes == 0 || bytes.total() <= freeBytes) continue;
        const auto [part, advice] = largestPart(bytes);
        pipeline::Problem problem;
        problem.error =
            makeError(Code::OutOfMemory,
                      str("Training would need ", formatBytes(static_cast<double>(bytes.total())), " of memory, ", part,
                          ", but this machine has ", formatBytes(static_cast<double>(freeBytes)), " free."))
                .atNode(node)
                .advise(advice);
        problems.push_back(std::move(problem));
    }
    return problems;
}

std::uint64_t freeMemoryBytes()
{
    std::ifstream file("/proc/meminfo");
    std::string key, unit;
    for (std::uint64_t kibibytes = 0; file >> key >> kibibytes;) {
        if (key == "MemAvailable:") return kibibytes * 1024;
        std::getline(file, unit);
    }
    return 0;
}

nlohmann::json toJson(const TrainingMemory& memory)
{
    return {{"machine", memory.machine == Machine::Cpu ? "cpu" : "gpu"},
            {"weights", memory.weights},
            {"mirror", memory.mirror},
            {"gradients", memory.gradients},
            {"optimizer", memory.optimizer},
            {"averages", memory.averages},
            {"activations", memory.activations},
            {"evaluation", memory.evaluation},
            {"rows", memory.rows},
            {"staging", memory.staging},
            {"total", memory.total()},
            {"recompute",
             {{"on", memory.recomputes},
              {"activations_otherwise", memory.otherActivations},
              {"step_flops", memory.stepFlops},
              {"step_flops_otherwise", memory.otherFlops}}}};
}

} // namespace millrace::plan
