#include "kernels/cuda/fastest.h"

#include "kernels/base/text.h"
#include "kernels/cuda/algorithm_cache.h"
#include "kernels/cuda/owned.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>

namespace millrace::kernels::cuda {

namespace {

using OwnedEvent = Owned<cudaEvent_t, &Runtime::cudaEventDestroy>;
using OwnedGraph = Owned<cudaGraph_t, &Runtime::cudaGraphDestroy>;
using OwnedStep = Owned<cudaGraphExec_t, &Runtime::cudaGraphExecDestroy>;
/// Times one way after the other. Nothing here is kept as the device's error: a way may fail.
class Stopwatch
{
public:
    static Result<Stopwatch> create(Context& context, std::uint64_t operandBytes)
    {
        Stopwatch watch(context);
        const Runtime& call = context.runtime();
        MR_TRY(watch.m_memory, reserveMemory(context, operandBytes));
        for (OwnedEvent* event : {&watch.m_begin, &watch.m_end}) {
            cudaEvent_t created = nullptr;
            MR_CHECK(context.asStatus(call.cudaEventCreateWithFlags(&created, cudaEventDefault), "an event"));
            event->reset(created);
        }
        return watch;
    }

    /// Microseconds of one run.
    Result<double> time(int place, const Way& run)
    {
        const auto once = [&] { return run(place, m_memory.get()); };
        MR_CHECK(between(once)); // the first run loads code
        MR_TRY(const double alone, between(once));
        // short ones are repeated, and launched as a step launches them: without the host's share
        constexpr double kEnoughMicroseconds = 400;
        const int repeats = static_cast<int>(std::clamp(kEnoughMicroseconds / std::max(alone, 1.0), 1.0, 20.0));
        MR_TRY(const OwnedStep step, capture([&]() -> Status {
                   for (int i = 0; i < repeats; ++i) MR_CHECK(once());
                   return {};
               }));
        const auto launch = [&] {
            return m_context->asStatus(m_context->runtime().cudaGraphLaunch(step.get(), m_context->stream()),
                                       "a captured step");
        };
        MR_TRY(const double first, between(launch));
        MR_TRY(const double second, between(launch));
        return std::min(first, second) / repeats;
    }

private:
    explicit Stopwatch(Context& context) : m_context(&context) {}

    template <class Work> Result<double> between(const Work& work)
    {
        const Runtime& call = m_context->runtime();
        const cudaStream_t stream = m_context->stream();
        MR_CHECK(m_context->asStatus(call.cudaEventRecord(m_begin.get(), stream), "an event"));
        MR_CHECK(work());
        MR_CHECK(m_context->asStatus(call.cudaEventRecord(m_end.get(), stream), "an event"));
        MR_CHECK(m_context->asStatus(call.cudaEventSynchronize(m_end.get()), "measuring"));
        float milliseconds = 0;
        MR_CHECK(m_context->asStatus(call.cudaEventElapsedTime(&milliseconds, m_begin.get(), m_end.get()), "an event"));
        return 1e3 * static_cast<double>(milliseconds);
    }

    template <class Work> Result<OwnedStep> capture(const Work& work)
    {
        const Runtime& call = m_context->runtime();
        const cudaStream_t stream = m_context->stream();
        MR_CHECK(m_context->asStatus(call.cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capture"));
        const Status worked = work();
        cudaGraph_t captured = nullptr;
        const cudaError_t ended = call.cudaStreamEndCapture(stream, &captured); // in any case
        const OwnedGraph graph(captured);
        MR_CHECK(worked);
        MR_CHECK(m_context->asStatus(ended, "capture"));
        cudaGraphExec_t step = nullptr;
        MR_CHECK(m_context->asStatus(call.cudaGraphInstantiate(&step, graph.get(), 0), "a captured step"));
        return OwnedStep(step);
    }

    Context* m_context;
    OwnedMemory m_memory;
    OwnedEvent m_begin, m_end;
};

} // namespace

Result<OwnedMemory> reserveMemory(Context& context, std::uint64_t sizeBytes)
{
    void* memory = nullptr;
    MR_CHECK(context.asStatus(context.runtime().cudaMalloc(&memory, std::max<std::uint64_t>(sizeBytes, 256)),
                              "memory for measuring"));
    OwnedMemory owned(static_cast<std::byte*>(memory));
    MR_CHECK(
        context.asStatus(context.runtime().cudaMemsetAsync(memory, 0, sizeBytes, context.stream()), "clearing memory"));
    return owned;
}

Result<int> chooseFastest(Context& context, const std::string& key, int places, std::uint64_t operandBytes,
                          const Way& run)
{
    AlgorithmCache& cache = context.algorithms();
    if (places < 2 || !cache.measures()) return 0;
    if (const auto known = cache.find(key, places)) return known->place;
    auto stopwatch = Stopwatch::create(context, operandBytes);
    if (!stopwatch) {
        if (stopwatch.error().code == Code::OutOfMemory) return 0;
        return stopwatch.error();
    }

    constexpr std::chrono::milliseconds kBudget(30);
    constexpr int kAtLeast = 4;
    const auto start = std::chrono::steady_clock::now();
    std::optional<AlgorithmChoice> best;
    std::string failure;
    for (int place = 0; place < places; ++place) {
        if (place >= kAtLeast && std::chrono::steady_clock::now() - start > kBudget) break;
        const auto microseconds = stopwatch->time(place, run);
        if (!microseconds) {
            // a way may fail by itself; a device that is lost says so again
            MR_CHECK(context.asStatus(context.runtime().cudaStreamSynchronize(context.stream()), "measuring"));
            failure = microseconds.error().message;
            continue;
        }
        if (!best || *microseconds < best->microseconds) best = {place, *microseconds};
    }
    if (!best) return makeError(Code::Unsupported, str("No algorithm for ", key, " works on this GPU: ", failure));
    cache.store(key, *best);
    return best->place;
}

} // namespace millrace::kernels::cuda
