#include "engine/run/generation_workload.h"

#include "engine/execute/executor.h"
#include "engine/generate/greedy.h"
#include "engine/pipeline/model_builder.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <chrono>

namespace millrace::run {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

class Texts
{
public:
    static Result<Texts> create(const Workload& workload, std::int64_t batch, const execute::Place& place)
    {
        const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
        MR_TRY(const train::TrainingModel model, trainingModel(workload, catalogue, batch));
        MR_TRY(graph::Graph graph,
               pipeline::buildDecoder(model.layers, catalogue, model.schema, 1, workload.generates, batch));
        MR_TRY(compile::Program program, execute::planFor(std::move(graph), compile::Mode::Inference, place));
        Texts texts;
        texts.m_tokens = workload.generates;
        texts.m_first.assign(static_cast<std::size_t>(batch), 0);
        MR_TRY(texts.m_weights, execute::Weights::create(program, 1, place));
        MR_TRY(texts.m_executor, execute::Executor::create(std::move(program), texts.m_weights, place.threads));
        MR_TRY(auto greedy, generate::Greedy::create(*texts.m_executor, place));
        texts.m_greedy = std::make_unique<generate::Greedy>(std::move(greedy));
        return texts;
    }

    /// Writes all tokens of all texts.
    Status write()
    {
        MR_CHECK(m_greedy->write(m_first, 0, m_tokens));
        return {};
    }

    execute::Executor& executor() { return *m_executor; }

private:
    Texts() = default;
    std::shared_ptr<execute::Weights> m_weights; // shared with the executor
    std::unique_ptr<execute::Executor> m_executor;
    std::unique_ptr<generate::Greedy> m_greedy;
    std::vector<std::int32_t> m_first; ///< the token that each text begins with
    std::int64_t m_tokens = 0;
};

} // namespace

Result<json> runGeneration(const Workload& workload, const WorkloadOptions& options, const execute::Place& place,
                           std::stop_token stop)
{
    const std::uint64_t freeBefore = place.device ? place.device->freeBytes() : 0;
    const std::int64_t batch = options.batch > 0 ? options.batch : workload.batch;
    MR_TRY(Texts texts, Texts::create(workload, batch, place));
    MR_CHECK(texts.write());
    const double first = secondsOfProcess();
    std::vector<double> times;
    const Clock::time_point begin = Clock::now();
    const auto since = [](Clock::time_point time) {
        return std::chrono::duration<double>(Clock::now() - time).count();
    };
    while (times.empty() || since(begin) < options.seconds) {
        if (stop.stop_requested()) return makeError(Code::Cancelled, "The benchmark was stopped.");
        const Clock::time_point before = Clock::now();
        MR_CHECK(texts.write());
        times.push_back(since(before));
    }
    std::ranges::nth_element(times, times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2));
    const double seconds = times[times.size() / 2];
    const compile::Program& program = texts.executor().program();
    const auto tokens = static_cast<double>(batch * workload.generates);
    const double flops = static_cast<double>(workload.generates) * program.graph.cost().flops;
    json result{{"workload", workload.name},
                {"title", workload.title},
                {"device", place.device ? place.device->info().name : "cpu"},
                {"batch", batch},
                {"parameters", program.parameterBytes / sizeof(float)},
                {"steps", times.size()},
                {"step_seconds", seconds},
                {"first_step_seconds", first},
                {"rows_per_second", tokens / seconds},
                {"flops", flops},
                {"gflops", flops / seconds / 1e9},
                {"memory_bytes", program.peakBytes()},
                {"peak_bytes", processPeakBytes()}};
    if (place.device) result["device_bytes"] = freeBefore - std::min(freeBefore, place.device->freeBytes());
    if (options.operations) result["operations"] = timeOperations(texts.executor());
    return result;
}

} // namespace millrace::run
