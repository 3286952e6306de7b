#include "tests/cuda/simulated/queues.h"

#include "kernels/base/text.h"
#include "tests/cuda/simulated/gpu.h"

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

namespace millrace::kernels::cuda::simulated {

namespace {

using Clock = std::chrono::steady_clock;
struct Stream;

/// A point in a stream that was recorded.
struct Mark
{
    Stream* stream;
    bool reached = false;
    Clock::time_point time{};
};

struct Work
{
    std::function<void()> run;
    std::shared_ptr<Mark> waitsFor = nullptr, reaches = nullptr;
};

/// What is recorded instead of being done. Its calls are replayed in the order in which they were made, which is one of
/// the orders that the streams and events of the capture allow.
struct Capture
{
    Stream* origin;
    cudaStreamCaptureMode mode;
    std::thread::id thread;
    bool spoilt = false;
    std::vector<std::function<void()>> work;
    /// Of streams that joined by waiting for a captured event: up to where their work was waited for.
    std::map<Stream*, std::size_t> joinedUpTo;
};

struct Stream
{
    std::deque<Work> queue;
    std::shared_ptr<Capture> capture;
    std::size_t lastCaptured = 0; // one behind its last work in the capture
};

struct Event
{
    bool timed;
    std::shared_ptr<Mark> mark;
    std::weak_ptr<Capture> capture; // where it was recorded in one
    Stream* capturedBy = nullptr;
    std::size_t capturedAt = 0;
};

using Graph = std::shared_ptr<const std::vector<std::function<void()>>>;

template <class Handle, class Thing> class Things
{
public:
    Handle add(Thing thing)
    {
        const auto handle = reinterpret_cast<Handle>(m_next += 16); // never used twice
        m_things[handle] = std::make_unique<Thing>(std::move(thing));
        return handle;
    }
    Thing* find(Handle handle) const
    {
        const auto it = m_things.find(handle);
        return it == m_things.end() ? nullptr : it->second.get();
    }
    bool remove(Handle handle) { return m_things.erase(handle) == 1; }
    void clear() { m_things.clear(); }
    const auto& all() const { return m_things; }

private:
    std::uintptr_t m_next = 0x10000;
    std::map<Handle, std::unique_ptr<Thing>> m_things;
};

Things<cudaStream_t, Stream> streams;
Things<cudaEvent_t, Event> events;
Things<cudaGraph_t, Graph> graphs;
Things<cudaGraphExec_t, Graph> executables;

cudaError_t invalidHandle(std::string_view what)
{
    return gpu().refuse(cudaErrorInvalidResourceHandle, str("there is no such ", what));
}

/// Does the stream's work until the mark is reached, or all of it.
void execute(Stream& stream, const Mark* until)
{
    while (!stream.queue.empty() && (until == nullptr || !until->reached)) {
        Work work = std::move(stream.queue.front());
        stream.queue.pop_front();
        if (gpu().sticky != cudaSuccess) continue; // the device does nothing any more
        if (work.waitsFor && !work.waitsFor->reached) execute(*work.waitsFor->stream, work.waitsFor.get());
        if (work.run) work.run();
        if (work.reaches) {
            work.reaches->reached = true;
            work.reaches->time = Clock::now();
        }
    }
}

void push(Stream& stream, Work work)
{
    stream.queue.push_back(std::move(work));
    if (gpu().properties.work == Properties::Work::AtOnce) execute(stream, nullptr);
}

cudaError_t refuseInCapture(std::string_view function)
{
    return gpu().refuse(cudaErrorStreamCaptureUnsupported, str(function, " during a capture"));
}

} // namespace

cudaError_t enqueue(cudaStream_t handle, std::function<void()> work)
{
    Stream* stream = streams.find(handle);
    if (stream == nullptr) return invalidHandle("stream");
    if (stream->capture) {
        stream->capture->work.push_back(std::move(work));
        stream->lastCaptured = stream->capture->work.size();
    } else {
        push(*stream, {.run = std::move(work)});
    }
    return cudaSuccess;
}

void finishQueues()
{
    for (const auto& [handle, stream] : streams.all()) execute(*stream, nullptr);
}

void forgetQueues()
{
    streams.clear();
    events.clear();
    graphs.clear();
    executables.clear();
}

bool spoilsCapture()
{
    bool spoils = false;
    for (const auto& [handle, stream] : streams.all()) {
        Capture* capture = stream->capture.get();
        if (capture == nullptr || capture->mode == cudaStreamCaptureModeRelaxed) continue;
        if (capture->mode == cudaStreamCaptureModeThreadLocal && capture->thread != std::this_thread::get_id())
            continue;
        capture->spoilt = true;
        spoils = true;
    }
    return spoils;
}

cudaError_t streamCreate(cudaStream_t* handle, unsigned)
{
    *handle = streams.add({});
    return cudaSuccess;
}

cudaError_t streamDestroy(cudaStream_t handle)
{
    Stream* stream = streams.find(handle);
    if (stream == nullptr) return invalidHandle("stream");
    execute(*stream, nullptr);
    for (const auto& [other, event] : events.all()) {
        if (event->mark && event->mark->stream == stream) event->mark->reached = true;
    }
    streams.remove(handle);
    return cudaSuccess;
}

cudaError_t streamSynchronize(cudaStream_t handle)
{
    Stream* stream = streams.find(handle);
    if (stream == nullptr) return invalidHandle("stream");
    if (spoilsCapture()) return refuseInCapture("cudaStreamSynchronize");
    execute(*stream, nullptr);
    return gpu().sticky;
}

cudaError_t streamWaitEvent(cudaStream_t streamHandle, cudaEvent_t eventHandle, unsigned)
{
    Stream* stream = streams.find(streamHandle);
    Event* event = events.find(eventHandle);
    if (stream == nullptr || event == nullptr) return invalidHandle(stream == nullptr ? "stream" : "event");
    if (const auto capture = event->capture.lock()) {
        if (stream->capture && stream->capture != capture)
            return gpu().refuse(cudaErrorStreamCaptureMerge, "waits for an event of another capture");
        if (!stream->capture) {
            stream->capture = capture;
            stream->lastCaptured = 0;
            capture->joinedUpTo[stream] = 0;
        }
        if (event->capturedBy != capture->origin) capture->joinedUpTo[event->capturedBy] = event->capturedAt;
        return cudaSuccess;
    }
    if (stream->capture) {
        stream->capture->spoilt = true;
        return gpu().refuse(cudaErrorStreamCaptureIsolation,
                            "waits in a capture for an event that was recorded before it");
    }
    if (event->mark) push(*stream, {.run = {}, .waitsFor = event->mark});
    return cudaSuccess;
}

cudaError_t eventCreate(cudaEvent_t* handle, unsigned flags)
{
    Event event{};
    event.timed = (flags & cudaEventDisableTiming) == 0;
    *handle = events.add(std::move(event));
    return cudaSuccess;
}

cudaError_t eventDestroy(cudaEvent_t handle)
{
    return events.remove(handle) ? cudaSuccess : invalidHandle("event");
}

cudaError_t eventRecord(cudaEvent_t eventHandle, cudaStream_t streamHandle)
{
    Stream* stream = streams.find(streamHandle);
    Event* event = events.find(eventHandle);
    if (stream == nullptr || event == nullptr) return invalidHandle(stream == nullptr ? "stream" : "event");
    event->capture = stream->capture;
    if (stream->capture) {
        event->mark = nullptr;
        event->capturedBy = stream;
        event->capturedAt = stream->lastCaptured;
        return cudaSuccess;
    }
    event->mark = std::make_shared<Mark>(Mark{.stream = stream});
    push(*stream, {.run = {}, .reaches = event->mark});
    return cudaSuccess;
}

cudaError_t eventQuery(cudaEvent_t handle)
{
    Event* event = events.find(handle);
    if (event == nullptr) return invalidHandle("event");
    if (!event->capture.expired()) return gpu().refuse(cudaErrorCapturedEvent, "asks for a captured event");
    if (spoilsCapture()) return refuseInCapture("cudaEventQuery");
    if (!event->mark || event->mark->reached) return gpu().sticky;
    // who asks often enough shall not wait for ever
    Stream& stream = *event->mark->stream;
    execute(stream, event->mark.get());
    return gpu().sticky != cudaSuccess ? gpu().sticky : cudaErrorNotReady;
}

cudaError_t eventSynchronize(cudaEvent_t handle)
{
    Event* event = events.find(handle);
    if (event == nullptr) return invalidHandle("event");
    if (!event->capture.expired()) return gpu().refuse(cudaErrorCapturedEvent, "waits for a captured event");
    if (spoilsCapture()) return refuseInCapture("cudaEventSynchronize");
    if (event->mark && !event->mark->reached) execute(*event->mark->stream, event->mark.get());
    return gpu().sticky;
}

cudaError_t eventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to)
{
    const Event *begin = events.find(from), *end = events.find(to);
    if (begin == nullptr || end == nullptr) return invalidHandle("event");
    if (!begin->timed || !end->timed || !begin->mark || !end->mark)
        return gpu().refuse(cudaErrorInvalidResourceHandle, "the time between events that do not take it");
    if (!begin->mark->reached || !end->mark->reached) return cudaErrorNotReady;
    *milliseconds = std::chrono::duration<float, std::milli>(end->mark->time - begin->mark->time).count();
    return gpu().sticky;
}

cudaError_t beginCapture(cudaStream_t handle, cudaStreamCaptureMode mode)
{
    Stream* stream = streams.find(handle);
    if (stream == nullptr) return gpu().refuse(cudaErrorStreamCaptureUnsupported, "captures no stream of its own");
    if (stream->capture) return gpu().refuse(cudaErrorIllegalState, "the stream is being captured already");
    stream->capture = std::make_shared<Capture>(
        Capture{.origin = stream, .mode = mode, .thread = std::this_thread::get_id(), .work = {}, .joinedUpTo = {}});
    stream->lastCaptured = 0;
    return cudaSuccess;
}

cudaError_t endCapture(cudaStream_t handle, cudaGraph_t* graph)
{
    *graph = nullptr;
    Stream* stream = streams.find(handle);
    if (stream == nullptr) return invalidHandle("stream");
    if (!stream->capture) return gpu().refuse(cudaErrorIllegalState, "the stream is not being captured");
    const std::shared_ptr<Capture> capture = stream->capture;
    if (capture->origin != stream)
        return gpu().refuse(cudaErrorStreamCaptureUnmatched, "the capture was begun on another stream");
    if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
        return gpu().refuse(cudaErrorStreamCaptureWrongThread, "the capture was begun by another thread");
    bool joined = true;
    for (const auto& [other, upTo] : capture->joinedUpTo) joined = joined && other->lastCaptured <= upTo;
    for (const auto& [other, one] : streams.all()) {
        if (one->capture == capture) one->capture = nullptr;
    }
    if (capture->spoilt) return gpu().refuse(cudaErrorStreamCaptureInvalidated, "the capture was spoilt");
    if (!joined) return gpu().refuse(cudaErrorStreamCaptureUnjoined, "a stream of the capture was not joined");
    *graph = graphs.add(std::make_shared<const std::vector<std::function<void()>>>(std::move(capture->work)));
    return cudaSuccess;
}

cudaError_t graphInstantiate(cudaGraphExec_t* handle, cudaGraph_t graphHandle, unsigned long long)
{
    const Graph* graph = graphs.find(graphHandle);
    if (graph == nullptr) return invalidHandle("graph");
    *handle = executables.add(*graph);
    return cudaSuccess;
}

cudaError_t graphDestroy(cudaGraph_t handle)
{
    return graphs.remove(handle) ? cudaSuccess : invalidHandle("graph");
}

cudaError_t graphExecDestroy(cudaGraphExec_t handle)
{
    return executables.remove(handle) ? cudaSuccess : invalidHandle("executable graph");
}

cudaError_t graphLaunch(cudaGraphExec_t handle, cudaStream_t stream)
{
    const Graph* graph = executables.find(handle);
    if (graph == nullptr) return invalidHandle("executable graph");
    return enqueue(stream, [work = *graph] {
        const Memory::Access access(gpu().memory); // opens it once, not for each kernel
        for (const auto& one : *work) {
            if (gpu().sticky == cudaSuccess) one();
        }
    });
}

} // namespace millrace::kernels::cuda::simulated
