#include "engine/run/stage_events.h"

#include "kernels/base/units.h"

#include <array>

namespace millrace::run {

namespace {
constexpr std::int64_t kMetricIntervalUs = 200'000;
constexpr std::int64_t kProgressIntervalUs = 200'000;
constexpr std::size_t kPointsPerEvent = 1000;
} // namespace

void StageEvents::append(std::string kind, nlohmann::json fields)
{
    if (!m_status) return;
    m_status = m_journal.append(std::move(kind), std::move(fields));
}

void StageEvents::emit(std::string kind, nlohmann::json fields)
{
    const std::lock_guard lock(m_mutex);
    flushMetrics(); // keeps the order in which things were said
    append(std::move(kind), std::move(fields));
}

void StageEvents::beginStage(std::string stage, std::string type)
{
    const std::lock_guard lock(m_mutex);
    flushMetrics();
    m_stage = std::move(stage);
    m_type = std::move(type);
    m_lastProgressUs = 0;
}

void StageEvents::flushMetrics()
{
    m_lastFlushUs = monotonicMicroseconds();
    if (m_points.empty()) return;
    append("metric", {{"stage", m_stage}, {"points", std::move(m_points)}});
    m_points = nlohmann::json::array();
}

void StageEvents::metric(std::string_view name, std::int64_t step, double value)
{
    const std::lock_guard lock(m_mutex);
    m_points.push_back(nlohmann::json::array({name, step, protocol::metricValue(value)}));
    if (m_points.size() >= kPointsPerEvent || monotonicMicroseconds() - m_lastFlushUs >= kMetricIntervalUs)
        flushMetrics();
}

void StageEvents::advanced(const protocol::Progress& progress)
{
    const std::lock_guard lock(m_mutex);
    const std::int64_t now = monotonicMicroseconds();
    const bool last = progress.step == progress.steps;
    if (!last && now - m_lastProgressUs < kProgressIntervalUs) return;
    m_lastProgressUs = now;
    flushMetrics();
    append("stage",
           {{"stage", m_stage}, {"type", m_type}, {"state", "running"}, {"progress", protocol::toJson(progress)}});
}

void StageEvents::note(LogLevel level, std::string_view text)
{
    static constexpr std::array<std::string_view, 4> kNames{"debug", "info", "warning", "error"};
    const std::lock_guard lock(m_mutex);
    flushMetrics();
    append("log", {{"level", kNames[static_cast<std::size_t>(level)]}, {"text", text}, {"stage", m_stage}});
}

Status StageEvents::flush(bool durable)
{
    const std::lock_guard lock(m_mutex);
    flushMetrics();
    if (m_status && durable) m_status = m_journal.sync();
    return m_status;
}

void StageEvents::checkpointSaved(const train::CheckpointNote& checkpoint)
{
    const std::lock_guard lock(m_mutex);
    flushMetrics();
    append("checkpoint", {{"stage", m_stage},
                          {"step", checkpoint.step},
                          {"epoch", checkpoint.epoch},
                          {"path", checkpoint.path},
                          {"sha256", checkpoint.sha256},
                          {"bytes", checkpoint.sizeBytes}});
}

Status StageEvents::status() const
{
    const std::lock_guard lock(m_mutex);
    return m_status;
}

} // namespace millrace::run
