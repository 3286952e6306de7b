#include "engine/run/workloads.h"

#include "engine/compile/program.h"
#include "engine/data/loader.h"
#include "engine/execute/executor.h"
#include "engine/pipeline/model_builder.h"
#include "engine/run/generation_workload.h"
#include "engine/run/gpu.h"
#include "engine/run/gpu_workload.h"
#include "engine/train/optimizer.h"
#include "kernels/base/files.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "kernels/cpu/peak.h"

#include <algorithm>
#include <chrono>
#include <sys/resource.h>
#include <thread>
#include <unistd.h>

namespace millrace::run {

using nlohmann::json;

namespace {

constexpr std::int64_t kBatches = 16; // of made-up rows, taken in turn
constexpr int kUncountedSteps = 3;

pipeline::RowsSchema schemaOf(const Workload& workload, std::int64_t batch)
{
    pipeline::RowsSchema schema;
    schema.features = *Shape::create(workload.row);
    schema.rows = kBatches * batch;
    schema.image = workload.row.size() == 3;
    if (workload.language) {
        schema.target = pipeline::TargetKind::NextToken;
        schema.vocabulary = workload.answers;
        return schema;
    }
    schema.target = pipeline::TargetKind::Classes;
    for (std::int64_t c = 0; c < workload.answers; ++c) schema.classes.push_back(str(c));
    return schema;
}

/// Whole numbers below `limit`.
std::vector<std::int32_t> drawIntegers(std::uint64_t stream, std::int64_t count, std::int64_t limit)
{
    Random random(1, stream);
    std::vector<std::int32_t> values(static_cast<std::size_t>(count));
    for (auto& value : values) value = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(limit)));
    return values;
}

/// The steps of a workload: fills the inputs, computes loss and gradient.
class Steps final : public train::Objective
{
public:
    static Result<Steps> create(const Workload& workload, int threads);

    Result<double> evaluate() override
    {
        MR_CHECK(m_tokens.empty() ? fillRows() : fillTokens());
        MR_CHECK(m_executor->run(1, m_step++));
        return static_cast<double>((*m_executor->floats("loss"))[0]);
    }
    std::span<float> parameters() override { return m_weights->parameters(); }
    std::span<float> gradients() override { return m_executor->gradients(); }

    execute::Executor& executor() { return *m_executor; }

private:
    Steps() = default;
    Status fillRows();
    Status fillTokens();

    const Workload* m_workload = nullptr;
    std::shared_ptr<execute::Weights> m_weights; // shared with the executor
    std::unique_ptr<execute::Executor> m_executor;
    std::unique_ptr<data::Loader> m_loader;
    std::vector<std::int32_t> m_tokens, m_labels; // of a language model
    std::uint64_t m_step = 0;
};

Result<std::unique_ptr<data::Loader>> loaderOf(const Workload& workload, const pipeline::RowsSchema& schema)
{
    const auto rows = std::make_shared<data::Dataset>(); // shared because the loader keeps it
    rows->schema = schema;
    Random random(1, streamOf("rows"));
    rows->features.resize(static_cast<std::size_t>(schema.rows * schema.features.elements()));
    for (float& value : rows->features) value = static_cast<float>(random.normal());
    rows->labels = drawIntegers(streamOf("labels"), schema.rows, workload.answers);
    data::LoaderOptions options;
    options.batchSize = workload.batch;
    return data::Loader::create(rows, options);
}

Result<Steps> Steps::create(const Workload& workload, int threads)
{
    const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    MR_TRY(const train::TrainingModel model, trainingModel(workload, catalogue, workload.batch));
    train::StepSettings settings;
    settings.threads = threads;
    MR_TRY(compile::Program program, train::trainingProgram(model, settings, workload.batch));
    Steps steps;
    steps.m_workload = &workload;
    MR_TRY(steps.m_weights, execute::Weights::create(program, 1));
    MR_TRY(steps.m_executor, execute::Executor::create(std::move(program), steps.m_weights, threads));
    if (workload.language) {
        const std::int64_t tokens = kBatches * workload.batch * workload.row[0];
        steps.m_tokens = drawIntegers(streamOf("tokens"), tokens, workload.answers);
        steps.m_labels = drawIntegers(streamOf("labels"), tokens, workload.answers);
    } else {
        MR_TRY(steps.m_loader, loaderOf(workload, model.schema));
    }
    return steps;
}

Status Steps::fillRows()
{
    const std::int64_t step = static_cast<std::int64_t>(m_step) % kBatches;
    if (step == 0) MR_CHECK(m_loader->start(static_cast<std::int64_t>(m_step) / kBatches, 0));
    MR_TRY(const data::Batch* batch, m_loader->next({}));
    std::ranges::copy(batch->features, m_executor->floats("features")->begin());
    std::ranges::copy(batch->labels, m_executor->integers("labels")->begin());
    return {};
}

Status Steps::fillTokens()
{
    const auto features = *m_executor->integers("features"), labels = *m_executor->integers("labels");
    const std::size_t first = m_step % kBatches * features.size();
    std::copy_n(m_tokens.begin() + static_cast<std::ptrdiff_t>(first), features.size(), features.begin());
    std::copy_n(m_labels.begin() + static_cast<std::ptrdiff_t>(first), labels.size(), labels.begin());
    return {};
}

Result<std::unique_ptr<train::Optimizer>> optimizerOf(const Workload& workload, Steps& steps, int threads)
{
    auto settings = train::OptimizerSettings::of(workload.optimizer);
    settings.weightDecay = 0.01;
    return train::createOptimizer(settings, train::parameterLayout(steps.executor().program()), threads);
}

int threadsOf(int threads)
{
    return threads > 0 ? threads : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

} // namespace

json timeOperations(execute::Executor& executor)
{
    struct Sum
    {
        double seconds = 0;
        graph::Cost cost;
    };
    constexpr int kSteps = 3;
    std::map<std::string, Sum> kinds;
    for (int step = 0; step < kSteps; ++step) {
        for (const auto& operation : executor.time(1, 0)) {
            kinds[operation.kind].seconds += operation.seconds / kSteps;
            if (step == 0) kinds[operation.kind].cost += operation.cost;
        }
    }
    std::vector<std::pair<std::string, Sum>> sorted(kinds.begin(), kinds.end());
    std::ranges::stable_sort(sorted, std::greater(), [](const auto& kind) { return kind.second.seconds; });
    json list = json::array();
    for (const auto& [kind, sum] : sorted)
        list.push_back({{"kind", kind},
                        {"seconds", sum.seconds},
                        {"gflops", sum.cost.flops / sum.seconds / 1e9},
                        {"gigabytes_per_second", sum.cost.bytes / sum.seconds / 1e9}});
    return list;
}

std::uint64_t processPeakBytes()
{
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
}

double secondsOfProcess()
{
    const auto text = [](const char* path) {
        const auto file = FileHandle::open(path, 0);
        std::string content(4096, '\0');
        const auto count = file ? file->readAt(content.data(), content.size(), 0) : Result<std::size_t>(0);
        content.resize(count ? *count : 0);
        return content;
    };
    const std::string stat = text("/proc/self/stat"), uptime = text("/proc/uptime");
    const auto words = split(std::string_view(stat).substr(std::min(stat.rfind(')') + 2, stat.size())), ' ');
    const auto started = words.size() > 19 ? parseDouble(words[19]) : std::nullopt;
    const auto now = parseDouble(std::string_view(uptime).substr(0, uptime.find(' ')));
    return started && now ? *now - *started / static_cast<double>(::sysconf(_SC_CLK_TCK)) : 0;
}

Result<train::TrainingModel> trainingModel(const Workload& workload, const pipeline::Catalogue& catalogue,
                                           std::int64_t batch)
{
    pipeline::RowsSchema schema = schemaOf(workload, batch);
    pipeline::Node node;
    node.id = "model";
    node.type = workload.model;
    node.params = pipeline::Json::parse(workload.params);
    MR_TRY(pipeline::Document layers, pipeline::expandModel(node, catalogue, schema));
    return train::TrainingModel{
        .layers = std::move(layers), .catalogue = catalogue, .schema = std::move(schema), .options = {}};
}

std::span<const Workload> workloads()
{
    static const std::vector<Workload> all = {
        {"digits_mlp",
         "Digits MLP 64-32-10, batch 32",
         "model.mlp",
         R"({"hidden": [32]})",
         {64},
         32,
         10,
         false,
         "adamw"},
        {"mlp",
         "MLP 784-512-256-10, batch 128",
         "model.mlp",
         R"({"hidden": [512, 256]})",
         {784},
         128,
         10,
         false,
         "adamw"},
        {"lenet", "LeNet on 28×28, batch 128", "model.lenet", "{}", {28, 28, 1}, 128, 10, false, "adamw"},
        {"resnet18",
         "ResNet-18 on 32×32, batch 64",
         "model.resnet",
         R"({"depth": "18"})",
         {32, 32, 3},
         64,
         10,
         false,
         "sgd",
         "bf16"},
        {"resnet50",
         "ResNet-50 on 224×224, batch 256",
         "model.resnet",
         R"({"depth": "50"})",
         {224, 224, 3},
         256,
         1000,
         false,
         "sgd",
         "bf16"},
        {"gpt",
         "GPT, 6 layers, 384 wide, 256 context, batch 8",
         "model.gpt",
         R"({"layers": 6, "heads": 6, "width": 384, "context": 256, "dropout": 0})",
         {256},
         8,
         65,
         true,
         "adamw",
         "bf16"},
        {"gpt2_124m", // 50,257 tokens, rounded up to a multiple of 128
         "GPT-2 124M, 1024 context, batch 32",
         "model.gpt",
         R"({"size": "gpt2", "dropout": 0})",
         {1024},
         32,
         50304,
         true,
         "adamw",
         "bf16"},
        {"gpt2_generate",
         "GPT-2 124M, 256 tokens of text",
         "model.gpt",
         R"({"size": "gpt2", "dropout": 0})",
         {1024},
         1,
         50304,
         true,
         "adamw",
         "bf16",
         256},
    };
    return all;
}

Result<json> runWorkload(std::string_view name, const WorkloadOptions& options, std::stop_token stop)
{
    const auto found = std::ranges::find(workloads(), name, &Workload::name);
    if (found == workloads().end()) {
        std::vector<std::string> names;
        for (const Workload& workload : workloads()) names.emplace_back(workload.name);
        return makeError(Code::NotFound, str("There is no workload \"", printable(name), "\"."))
            .advise(didYouMean(name, names));
    }
    MR_TRY(const auto gpu, Gpu::open(options.device, options.cacheFolder, {}));
    if (found->generates > 0) {
        train::StepSettings settings;
        settings.precision = options.precision.empty() ? std::string(found->precision) : options.precision;
        settings.threads = threadsOf(options.threads);
        if (gpu) settings.device = gpu->device();
        return runGeneration(*found, options, settings.place(), std::move(stop));
    }
    if (gpu) return runGpuWorkload(*found, options, gpu->device(), std::move(stop));
    if (options.batch > 0 || !options.precision.empty())
        return makeError(Code::Unsupported, "Only a GPU's workloads take another batch or precision.")
            .advise("Add --device cuda, or leave --batch and --precision out.");
    const int threads = threadsOf(options.threads);
    MR_TRY(Steps steps, Steps::create(*found, threads));
    MR_TRY(auto optimizer, optimizerOf(*found, steps, threads));

    using Clock = std::chrono::steady_clock;
    std::vector<double> times;
    Clock::time_point begin = Clock::now();
    const auto secondsSince = [](Clock::time_point time) {
        return std::chrono::duration<double>(Clock::now() - time).count();
    };
    for (std::int64_t step = 1; times.empty() || secondsSince(begin) < options.seconds; ++step) {
        if (stop.stop_requested()) return makeError(Code::Cancelled, "The benchmark was stopped.");
        const Clock::time_point before = Clock::now();
        MR_CHECK(optimizer->step(steps, 1e-3, step));
        if (step > kUncountedSteps) times.push_back(secondsSince(before));
        if (step == kUncountedSteps) begin = Clock::now();
    }
    std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
    const double seconds = times[times.size() / 2];
    const double flops = steps.executor().program().graph.cost().flops;
    std::uint64_t optimizerBytes = 0;
    for (const auto& [key, values] : optimizer->vectors()) optimizerBytes += values.size_bytes();
    for (const auto& [key, bytes] : optimizer->numbers()) optimizerBytes += bytes.size();
    const std::int64_t items = found->batch * (found->language ? found->row[0] : 1);
    json result{{"workload", found->name},
                {"title", found->title},
                {"threads", threads},
                {"steps", times.size()},
                {"step_seconds", seconds},
                {"rows_per_second", static_cast<double>(items) / seconds},
                {"flops", flops},
                {"gflops", flops / seconds / 1e9},
                {"memory_bytes", steps.executor().memoryBytes() + optimizerBytes},
                {"peak_bytes", processPeakBytes()}};
    if (options.operations) result["operations"] = timeOperations(steps.executor());
    return result;
}

Result<json> measureMachine(const WorkloadOptions& options)
{
    MR_TRY(const auto gpu, Gpu::open(options.device, options.cacheFolder, {}));
    if (gpu) return measureGpu(*gpu->device());
    const int all = threadsOf(options.threads);
    return json{{"threads", all},
                {"gflops", kernels::cpu::peakGflops(all)},
                {"gflops_bf16", kernels::cpu::peakGflopsBf16(all)},
                {"gigabytes_per_second", kernels::cpu::streamGigabytesPerSecond(all)}};
}

} // namespace millrace::run
