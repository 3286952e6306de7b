#include "engine/run/runner.h"

#include "engine/data/data.h"
#include "engine/formats/stage_cache.h"
#include "engine/pipeline/cache_key.h"
#include "engine/pipeline/check.h"
#include "engine/protocol/job.h"
#include "engine/protocol/journal.h"
#include "engine/protocol/run_folder.h"
#include "engine/run/gpu.h"
#include "engine/run/gpu_memory.h"
#include "engine/run/replacement.h"
#include "engine/run/stage.h"
#include "engine/run/stage_results.h"
#include "engine/telemetry/sampler.h"
#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <thread>
#include <unistd.h>

namespace millrace::run {

namespace {

constexpr auto kHeartbeat = std::chrono::milliseconds(50);
constexpr std::int64_t kTelemetryIntervalUs = 1'000'000, kFirstTelemetryUs = 150'000;

class Runner
{
public:
    /// `excluded`: the GPUs that were lost in processes which this one replaces.
    Runner(protocol::RunFolder folder, protocol::Job job, const std::vector<std::string>& excluded, StageEvents& events,
           std::stop_token stop)
        : m_folder(std::move(folder)), m_job(std::move(job)), m_excluded(excluded), m_events(events),
          m_outerStop(std::move(stop))
    {
    }

    Status run();
    bool stopAsked() const { return m_stop.stop_requested(); }
    /// Null on a CPU, and before it was opened.
    Gpu* gpu() const { return m_gpu.get(); }

private:
    void watch(const std::stop_token& end);
    Status prepare();
    Status openGpu(const pipeline::CheckReport& report);
    void emitParameters();
    Status runStage(const pipeline::Node& node);
    Status executeStage(const pipeline::Node& node, const pipeline::NodeSpec& spec, const std::string& key);
    bool restoreStage(const pipeline::Node& node, const pipeline::NodeSpec& spec, const std::string& key);
    Values inputsOf(const pipeline::Node& node) const;
    Result<std::string> keyOf(const pipeline::Node& node, const pipeline::NodeSpec& spec);
    void emitStage(const pipeline::Node& node, std::string_view state, nlohmann::json more = nlohmann::json::object());

    protocol::RunFolder m_folder;
    protocol::Job m_job;
    const std::vector<std::string>& m_excluded;
    StageEvents& m_events;
    std::stop_token m_outerStop;
    std::unique_ptr<Gpu> m_gpu; // before what stages make on it, so that it goes after that
    std::stop_source m_stop;    // what the stages see: asked for from outside or by the file `stop`

    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
    pipeline::Document m_document;
    std::optional<formats::StageCache> m_cache;
    std::map<std::string, Values> m_outputs;   // by node
    std::map<std::string, std::string> m_keys; // by node
};

// The heartbeat: telemetry once a second, and whether somebody asked the run to stop.
void Runner::watch(const std::stop_token& end)
{
    telemetry::Nvml* nvml = m_gpu ? m_gpu->nvml() : nullptr;
    telemetry::Sampler sampler(nvml, m_gpu ? std::vector{m_gpu->info().uuid} : std::vector<std::string>());
    // the first sample comes soon, so that a short run has one too
    std::int64_t lastSampleUs = monotonicMicroseconds() - kTelemetryIntervalUs + kFirstTelemetryUs;
    std::mutex mutex; // only to wait with; nothing is shared
    std::condition_variable_any wakeUp;
    std::unique_lock lock(mutex);
    while (!wakeUp.wait_for(lock, end, kHeartbeat, [&] { return end.stop_requested(); })) {
        if (!m_stop.stop_requested() && (m_outerStop.stop_requested() || exists(m_folder.stopRequest()))) {
            m_events.emit("state", {{"state", protocol::name(protocol::RunState::Stopping)}});
            m_stop.request_stop();
        }
        if (monotonicMicroseconds() - lastSampleUs >= kTelemetryIntervalUs) {
            lastSampleUs = monotonicMicroseconds();
            m_events.emit("telemetry", sampler.sample());
            if (nvml) m_gpu->noteXids(nvml->takeXids());
        }
    }
}

void Runner::emitStage(const pipeline::Node& node, std::string_view state, nlohmann::json more)
{
    more["stage"] = node.id;
    more["type"] = node.type;
    more["state"] = state;
    m_events.emit("stage", std::move(more));
}

void Runner::emitParameters()
{
    for (const pipeline::Node& node : m_document.nodes) {
        const pipeline::NodeSpec* spec = m_catalogue.find(node.type);
        if (spec == nullptr) continue;
        for (const pipeline::ParamSpec& param : spec->params) {
            if (param.kind == pipeline::ParamKind::Layers) continue; // the pipeline itself holds it
            const auto value = pipeline::paramValue(node, *spec, param.id);
            if (value.is_null()) continue; // neither given nor needed
            m_events.emit("param", {{"node", node.id}, {"name", param.id}, {"value", value}});
        }
    }
}

Status Runner::prepare()
{
    MR_TRY(m_document, pipeline::parseDocument(m_job.pipelineText, m_folder.job()));
    const data::Folders folders{m_job.baseDirectory, m_job.resourceDirectory};
    const auto report = pipeline::check(m_document, m_catalogue, [&](const auto& node, const auto& spec) {
        return data::inspect(node, spec, folders);
    });
    for (const pipeline::Problem& problem : report.problems)
        if (problem.severity == pipeline::Severity::Error) return problem.error;
    MR_TRY(m_cache, formats::StageCache::open(m_job.cacheDirectory));
    return openGpu(report);
}

// Where the GPU that is asked for is not there, or its memory is too small, nothing was begun yet.
Status Runner::openGpu(const pipeline::CheckReport& report)
{
    MR_TRY(m_gpu, Gpu::open(m_job.device, m_job.cacheDirectory, m_excluded));
    if (!m_gpu) return {};
    m_events.note(LogLevel::Info, str("Computing on ", m_gpu->name(), ", ", m_gpu->info().libraries, "."));
    MR_TRY(const auto changes,
           fitIntoMemory(m_document, m_catalogue, report, m_gpu->device()->freeBytes(), m_job.fitMemory));
    for (const std::string& change : changes) m_events.note(LogLevel::Warning, change);
    return {};
}

Status Runner::run()
{
    const bool replaces = !m_excluded.empty(); // then the run is running all the while
    if (!replaces) m_events.emit("state", {{"state", protocol::name(protocol::RunState::Starting)}});
    MR_CHECK(prepare());
    if (!m_job.resume && !replaces) emitParameters();
    MR_TRY(const auto order, pipeline::executionOrder(m_document));
    for (const std::string& id : order) emitStage(*m_document.find(id), "waiting");
    if (!replaces) m_events.emit("state", {{"state", protocol::name(protocol::RunState::Running)}});

    const std::jthread watcher([this](std::stop_token end) { watch(end); });
    for (const std::string& id : order) {
        if (m_stop.stop_requested()) return makeError(Code::Cancelled, str("Stopped before stage ", id, "."));
        MR_CHECK(runStage(*m_document.find(id)));
        MR_CHECK(m_events.status());
    }
    return {};
}

Values Runner::inputsOf(const pipeline::Node& node) const
{
    Values inputs;
    for (const pipeline::Link& link : m_document.links) {
        if (link.to.node != node.id) continue;
        const auto outputs = m_outputs.find(link.from.node);
        if (outputs == m_outputs.end()) continue;
        if (const auto value = outputs->second.find(link.from.port); value != outputs->second.end())
            inputs[link.to.port] = value->second;
    }
    return inputs;
}

// A data node's files and, for what computes, device and threads are part of what the result depends on.
Result<std::string> Runner::keyOf(const pipeline::Node& node, const pipeline::NodeSpec& spec)
{
    std::map<std::string, std::string> inputs;
    for (const pipeline::Link& link : m_document.links)
        if (link.to.node == node.id) inputs[link.to.port] = str(m_keys[link.from.node], "/", link.from.port);
    std::string content;
    if (node.type.starts_with("data.") && inputs.empty()) {
        MR_TRY(content, data::contentHash(node, spec, {m_job.baseDirectory, m_job.resourceDirectory}));
    } else if (node.type.starts_with("train.") || node.type.starts_with("evaluate.")) {
        content = str(m_gpu ? m_gpu->kind() : m_job.device, "/", m_job.threads);
    }
    return pipeline::cacheKey(node, spec, inputs, content);
}

Status Runner::runStage(const pipeline::Node& node)
{
    const pipeline::NodeSpec* spec = m_catalogue.find(node.type);
    MR_TRY(const std::string key, keyOf(node, *spec));
    m_keys[node.id] = key;
    m_events.beginStage(node.id, node.type);
    if (m_job.useCache && spec->cacheable && restoreStage(node, *spec, key)) return {};
    auto done = executeStage(node, *spec, key);
    if (done) return {};
    Error error = std::move(done).error();
    if (error.subject.node.empty()) error.subject.node = node.id;
    emitStage(node, error.code == Code::Cancelled ? "stopped" : "failed", {{"error", protocol::errorToJson(error)}});
    return error;
}

bool Runner::restoreStage(const pipeline::Node& node, const pipeline::NodeSpec& spec, const std::string& key)
{
    auto cached = loadResult(*m_cache, key, node, spec);
    if (!cached) return false;
    for (const auto& point : cached->sayings.points)
        m_events.metric(point.at(0).get<std::string>(), point.at(1).get<std::int64_t>(),
                        protocol::metricValueFrom(point.at(2)).value_or(0));
    for (nlohmann::json artifact : cached->sayings.artifacts) {
        artifact["stage"] = node.id; // the same stage may have had another name
        m_events.emit("artifact", std::move(artifact));
    }
    m_outputs[node.id] = std::move(cached->result.outputs);
    emitStage(node, "cached", {{"seconds", 0.0}, {"summary", cached->result.summary}, {"key", key}});
    return true;
}

Status Runner::executeStage(const pipeline::Node& node, const pipeline::NodeSpec& spec, const std::string& key)
{
    const StageFunction function = stageFunction(node.type);
    if (function == nullptr)
        return makeError(Code::Unsupported, str("This build cannot execute \"", printable(node.type), "\"."));
    emitStage(node, "running");
    const std::int64_t begin = monotonicMicroseconds();
    // rows that do not fit into memory lie in the cache beside the stage's entry, which refers to them
    const data::RowsPlace place{joinPath(m_job.cacheDirectory, key + ".rows")};
    StageContext context{node,
                         spec,
                         m_catalogue,
                         inputsOf(node),
                         {m_job.baseDirectory, m_job.resourceDirectory, place},
                         m_folder,
                         m_job.threads,
                         m_gpu ? m_gpu->device() : nullptr,
                         m_job.fitMemory,
                         m_events,
                         m_stop.get_token()};
    MR_TRY(StageResult result, function(context));
    const double seconds = static_cast<double>(monotonicMicroseconds() - begin) / 1e6;
    MR_CHECK(m_events.flush(false));
    if (spec.cacheable) {
        MR_TRY(const StageSayings sayings, sayingsOf(m_folder.journal(), node.id));
        // a cache that cannot be written costs time later, not this run
        if (auto stored = storeResult(*m_cache, key, result, sayings); !stored)
            m_events.note(LogLevel::Warning, str("The result could not be cached: ", stored.error().toString()));
    }
    m_outputs[node.id] = std::move(result.outputs);
    emitStage(node, "finished", {{"seconds", seconds}, {"summary", result.summary}, {"key", key}});
    return {};
}

Status guarded(Runner& runner)
{
    try {
        return runner.run();
    } catch (const std::bad_alloc&) {
        return makeError(Code::OutOfMemory, "There is not enough memory for this run.")
            .advise("Use a smaller batch or model.");
    } catch (const std::exception& exception) {
        return makeError(Code::Internal, str("An unexpected failure: ", exception.what()));
    }
}

// Says which GPU was lost and why, and lets a new process go on without it. Returns where that cannot be: the run
// fails.
Status goOnWithout(Gpu& gpu, const Error& error, const protocol::RunFolder& folder, const FileLock& lock,
                   std::vector<std::string> excluded, StageEvents& events)
{
    const auto xid = gpu.xid();
    const std::string cause = xid ? str(" (Xid ", *xid, ")") : std::string();
    nlohmann::json fields{{"device", gpu.info().uuid}, {"error", protocol::errorToJson(error)}};
    if (xid) fields["xid"] = *xid;
    events.emit("error", std::move(fields));
    events.note(LogLevel::Error, str("The GPU ", gpu.name(), " was lost", cause, ": ", error.message));
    events.note(LogLevel::Warning, "The run goes on in a new process without it, from the last checkpoint.");
    MR_CHECK(events.flush(true));
    excluded.push_back(gpu.info().uuid);
    return replaceProcess(folder, lock, excluded);
}

} // namespace

Result<Ending> runJob(const std::string& path, std::stop_token stop)
{
    const protocol::RunFolder folder{path};
    Replacement before = Replacement::take(folder);
    if (!before.lock) {
        MR_TRY(before.lock, FileLock::acquire(folder.lock()));
    }
    MR_TRY(const std::string text, readFile(folder.job(), 64u << 20));
    MR_TRY(protocol::Job job, protocol::jobFromText(text));
    if (before.excluded.empty()) MR_CHECK(removeAll(folder.stopRequest())); // one of before
    MR_CHECK(durableReplace(folder.pid(), str(::getpid(), "\n")));
    MR_CHECK(makeDirectories(folder.checkpoints()));
    MR_CHECK(makeDirectories(folder.artifacts()));
    MR_TRY(protocol::JournalWriter journal, protocol::JournalWriter::open(folder.journal()));
    StageEvents events(std::move(journal));

    Runner runner(folder, std::move(job), before.excluded, events, std::move(stop));
    Status result = guarded(runner);
    if (!result && result.error().code == Code::DeviceLost && runner.gpu() && !runner.stopAsked())
        if (auto failed = goOnWithout(*runner.gpu(), result.error(), folder, *before.lock, before.excluded, events);
            !failed)
            events.note(LogLevel::Error, failed.error().toString());
    const bool stopped = !result && result.error().code == Code::Cancelled;
    const auto state = result    ? protocol::RunState::Finished
                       : stopped ? protocol::RunState::Stopped
                                 : protocol::RunState::Failed;
    nlohmann::json fields{{"state", protocol::name(state)}};
    if (!result) fields["cause"] = protocol::errorToJson(result.error());
    events.emit("state", std::move(fields));
    MR_CHECK(events.flush(true));
    return result ? Ending::Finished : stopped ? Ending::Stopped : Ending::Failed;
}

} // namespace millrace::run
