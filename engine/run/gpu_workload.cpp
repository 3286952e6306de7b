#include "engine/run/gpu_workload.h"

#include "engine/execute/executor.h"
#include "engine/pipeline/optimizer_types.h"
#include "engine/train/stepper.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace millrace::run {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr double kGroupSeconds = 0.05; // of steps between two looks at the clock

double secondsSince(Clock::time_point begin)
{
    return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// Rows that were made up once and lie in the host's memory, a batch a step.
class MadeUpRows final : public train::StepRows
{
public:
    MadeUpRows(const Workload& workload, std::int64_t batch) : m_workload(workload), m_batch(batch)
    {
        constexpr std::int64_t kMostValues = 1 << 26, kDrawn = (1 << 20) - 3;
        std::int64_t width = 1;
        for (const std::int64_t dimension : workload.row) width *= dimension;
        m_width = width;
        m_batches = std::clamp<std::int64_t>(kMostValues / (batch * width), 2, 16);
        const std::int64_t labels = m_batches * batch * (workload.language ? width : 1);
        Random random(1, streamOf("rows"));
        for (std::int64_t i = 0; i < labels; ++i)
            m_labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(workload.answers))));
        if (workload.language) {
            m_tokens.assign(m_labels.rbegin(), m_labels.rend());
            return;
        }
        m_features.resize(static_cast<std::size_t>(m_batches * batch * width));
        // drawing them all would take longer than what is measured; the period is no multiple of a row
        const auto drawn = std::min<std::size_t>(m_features.size(), kDrawn);
        for (std::size_t i = 0; i < drawn; ++i) m_features[i] = static_cast<float>(random.normal());
        for (std::size_t i = drawn; i < m_features.size(); ++i) m_features[i] = m_features[i - drawn];
    }

    Status begin() override
    {
        m_given = false;
        return {};
    }
    Result<const train::MicroBatch*> next() override
    {
        if (std::exchange(m_given, true)) return nullptr;
        const auto at = static_cast<std::size_t>(m_step++ % m_batches * m_batch);
        const auto rows = static_cast<std::size_t>(m_batch), width = static_cast<std::size_t>(m_width);
        m_now.rows = m_batch;
        m_now.weight = static_cast<double>(m_batch);
        if (m_workload.language) {
            m_now.tokens = std::span(m_tokens).subspan(at * width, rows * width);
            m_now.labels = std::span(m_labels).subspan(at * width, rows * width);
        } else {
            m_now.features = std::span(m_features).subspan(at * width, rows * width);
            m_now.labels = std::span(m_labels).subspan(at, rows);
        }
        return &m_now;
    }

private:
    const Workload& m_workload;
    std::int64_t m_batch, m_width = 1, m_batches = 1, m_step = 0;
    std::vector<float> m_features;
    std::vector<std::int32_t> m_tokens, m_labels;
    train::MicroBatch m_now;
    bool m_given = false;
};

/// The steps of a workload, and the time that they take.
class Steps
{
public:
    Steps(train::Stepper& stepper, MadeUpRows& rows) : m_stepper(stepper), m_rows(rows) {}

    /// The mean time of so many steps, from an idle device to an idle device.
    Result<double> take(std::int64_t count)
    {
        const Clock::time_point begin = Clock::now();
        for (std::int64_t i = 0; i < count; ++i) {
            MR_CHECK(m_stepper.step(m_rows, m_step++, 1e-3));
            MR_CHECK(figures());
        }
        MR_CHECK(m_stepper.finish());
        MR_CHECK(figures());
        return secondsSince(begin) / static_cast<double>(count);
    }
    double loss() const { return m_loss; }

private:
    Status figures()
    {
        for (;;) {
            MR_TRY(const auto done, m_stepper.figures());
            if (!done) return {};
            m_loss = done->loss;
        }
    }

    train::Stepper& m_stepper;
    MadeUpRows& m_rows;
    std::int64_t m_step = 0;
    double m_loss = 0;
};

struct Times
{
    double firstStep = 0, step = 0; ///< since the process began; median of the groups
    std::int64_t steps = 0;
};

Result<Times> measure(Steps& steps, double seconds, const std::stop_token& stop)
{
    constexpr std::int64_t kUncounted = 5;
    Times times;
    MR_CHECK(steps.take(1));
    times.firstStep = secondsOfProcess();
    MR_CHECK(steps.take(kUncounted)); // the step is captured after its first run
    MR_TRY(const double once, steps.take(kUncounted));
    const std::int64_t group = std::max<std::int64_t>(1, static_cast<std::int64_t>(kGroupSeconds / once));
    std::vector<double> groups;
    for (const Clock::time_point begin = Clock::now(); groups.empty() || secondsSince(begin) < seconds;) {
        if (stop.stop_requested()) return makeError(Code::Cancelled, "The benchmark was stopped.");
        MR_TRY(const double mean, steps.take(group));
        groups.push_back(mean);
    }
    std::ranges::nth_element(groups, groups.begin() + static_cast<std::ptrdiff_t>(groups.size() / 2));
    times.step = groups[groups.size() / 2];
    times.steps = group * static_cast<std::int64_t>(groups.size());
    return times;
}

/// What the program, its weights in both types, the optimiser and the rows on their way need, as they are planned.
std::uint64_t plannedBytes(const compile::Program& program, std::string_view optimizer)
{
    constexpr std::uint64_t kOnTheirWay = 3; // batches, of train::DeviceStepper
    const pipeline::OptimizerType* type = pipeline::findOptimizer(optimizer);
    std::uint64_t rows = 0;
    for (const char* port : {"features", "labels"}) {
        const graph::Tensor& tensor = program.graph.tensor(program.graph.ports().at(port));
        rows += static_cast<std::uint64_t>(tensor.shape.elements()) * sizeBytes(tensor.type);
    }
    return program.peakBytes() + kOnTheirWay * rows +
           (type ? static_cast<std::uint64_t>(type->states) : 0) * program.parameterBytes;
}

} // namespace

Result<json> runGpuWorkload(const Workload& workload, const WorkloadOptions& options,
                            const std::shared_ptr<kernels::Device>& device, std::stop_token stop)
{
    const std::uint64_t freeBefore = device->freeBytes();
    const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    const std::int64_t batch = options.batch > 0 ? options.batch : workload.batch;
    MR_TRY(const train::TrainingModel model, trainingModel(workload, catalogue, batch));
    train::StepSettings settings;
    settings.optimizer = train::OptimizerSettings::of(workload.optimizer);
    settings.optimizer.weightDecay = 0.01;
    settings.precision = options.precision.empty() ? std::string(workload.precision) : options.precision;
    settings.device = device;
    MR_TRY(const compile::Program program, train::trainingProgram(model, settings, batch));
    MadeUpRows rows(workload, batch);
    MR_TRY(auto stepper, train::Stepper::create(model, settings, {batch}));
    Steps steps(*stepper, rows);
    MR_TRY(const Times times, measure(steps, options.seconds, stop));
    const std::uint64_t freeAfter = device->freeBytes();
    const double flops = program.graph.cost().flops;
    const std::int64_t items = batch * (workload.language ? workload.row[0] : 1);
    json result{{"workload", workload.name},
                {"title", workload.title},
                {"device", device->info().name},
                {"precision", settings.precision},
                {"batch", batch},
                {"parameters", program.parameterBytes / sizeof(float)},
                {"steps", times.steps},
                {"step_seconds", times.step},
                {"first_step_seconds", times.firstStep},
                {"rows_per_second", static_cast<double>(items) / times.step},
                {"loss", steps.loss()},
                {"flops", flops},
                {"gflops", flops / times.step / 1e9},
                {"memory_bytes", plannedBytes(program, workload.optimizer)},
                {"device_bytes", freeBefore > freeAfter ? freeBefore - freeAfter : 0},
                {"peak_bytes", processPeakBytes()}};
    if (options.operations) {
        const auto weights = stepper->weights();
        stepper.reset(); // its memory makes room for that of the single operations
        MR_TRY(auto executor, execute::Executor::create(program, weights, 0));
        result["operations"] = timeOperations(*executor);
    }
    return result;
}

Result<json> measureGpu(kernels::Device& device)
{
    // larger than the caches of a GPU that has so many multiprocessors: 8,448 of an H100's 132
    const std::int64_t side = 64 * device.info().multiprocessors;
    const std::uint64_t matrixBytes = static_cast<std::uint64_t>(side * side) * sizeBytes(DType::BF16);
    constexpr int kCopies = 4; // so many matrices are copied at once
    constexpr int kRounds = 10;
    MR_TRY(const auto memory, device.allocate(2 * kCopies * matrixBytes, "measuring the GPU"));
    MR_TRY(const auto values, device.allocate(matrixBytes * 2, "measuring the GPU"));
    MR_TRY(const auto host, device.allocateHost(matrixBytes * 2, "measuring the GPU"));
    Random random(1, streamOf("matrices"));
    auto* numbers = reinterpret_cast<float*>(host->at(0));
    for (std::int64_t i = 0; i < side * side; ++i) // zeros would be multiplied faster
        numbers[i] = i < 1 << 20 ? static_cast<float>(random.normal()) : numbers[i - (1 << 20) + 3];
    device.copy(values->at(0), host->at(0), matrixBytes * 2);
    const auto count = static_cast<std::uint64_t>(side * side);
    for (const int at : {0, 1})
        device.convert(memory->at(static_cast<std::uint64_t>(at) * matrixBytes), DType::BF16,
                       reinterpret_cast<const float*>(values->at(0)), count);
    MR_TRY(const auto product,
           device.factory(DType::BF16).makeMatmul({.batch = 1, .rows = side, .columns = side, .depth = side}));
    MR_TRY(const auto scratch, device.allocate(product->scratchBytes(), "measuring the GPU"));
    const std::array<const void*, 2> inputs{memory->at(0), memory->at(matrixBytes)};
    const std::array<void*, 1> outputs{memory->at(2 * matrixBytes)};
    const auto best = [&](const auto& work) -> Result<double> {
        double least = 0;
        for (int round = 0; round <= kRounds; ++round) {
            MR_CHECK(device.synchronize());
            const Clock::time_point begin = Clock::now();
            work();
            MR_CHECK(device.synchronize());
            const double seconds = secondsSince(begin);
            if (round == 1 || (round > 1 && seconds < least)) least = seconds; // the first one loads the libraries
        }
        return least;
    };
    MR_TRY(const double productSeconds, best([&] { product->run({inputs, outputs, scratch->at(0), nullptr}); }));
    MR_TRY(const double copySeconds,
           best([&] { device.copy(memory->at(kCopies * matrixBytes), memory->at(0), kCopies * matrixBytes); }));
    const auto elements = static_cast<double>(count);
    return json{{"device", device.info().name},
                {"gflops_bf16", 2 * elements * static_cast<double>(side) / productSeconds / 1e9},
                {"gigabytes_per_second", 2.0 * kCopies * static_cast<double>(matrixBytes) / copySeconds / 1e9}};
}

} // namespace millrace::run
