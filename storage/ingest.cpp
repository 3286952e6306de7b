// Events into rows. Idempotent by (run, seq); points of a series by step, so that a resumed run that logs a step again
// leaves one point.
#include "kernels/base/files.h"
#include "kernels/base/log.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "storage/database_impl.h"

#include <algorithm>
#include <cmath>

namespace millrace::storage {

namespace {
constexpr std::size_t kPointsPerTransaction = 1000;

/// Stores events of one run inside a write transaction.
class Ingest
{
public:
    Ingest(Connection& connection, std::string id, RunKey run)
        : m_connection(connection), m_id(std::move(id)), m_run(std::move(run))
    {
    }

    /// Returns how many points it stored, at least 1.
    std::size_t store(const protocol::Event& event);
    void advance(const protocol::Event& last, const std::optional<std::uint64_t>& journalOffset);

private:
    void storeState(const protocol::Event& event);
    void storeParameter(const protocol::Event& event);
    void storeStage(const protocol::Event& event);
    std::size_t storeMetrics(const protocol::Event& event);
    void storeLog(const protocol::Event& event);
    void storeArtifact(const protocol::Event& event);
    void storeCheckpoint(const protocol::Event& event);
    void storeTelemetry(const protocol::Event& event);
    std::int64_t seriesKey(const std::string& stage, const std::string& name);
    std::int64_t relative(const protocol::Event& event) const { return event.timeMs - m_run.createdMs; }

    Connection& m_connection;
    std::string m_id;
    RunKey m_run;
    std::map<std::pair<std::string, std::string>, std::int64_t> m_series; ///< (stage, name); valid under the lock
};

std::size_t Ingest::store(const protocol::Event& event)
{
    if (event.kind == "metric") return storeMetrics(event);
    if (event.kind == "state") storeState(event);
    if (event.kind == "param") storeParameter(event);
    if (event.kind == "stage") storeStage(event);
    if (event.kind == "log") storeLog(event);
    if (event.kind == "artifact") storeArtifact(event);
    if (event.kind == "checkpoint") storeCheckpoint(event);
    if (event.kind == "telemetry") storeTelemetry(event);
    return 1;
}

void Ingest::advance(const protocol::Event& last, const std::optional<std::uint64_t>& journalOffset)
{
    Query(m_connection, "UPDATE runs SET last_seq = ?, worked_ms = ? WHERE key = ?", last.seq, last.monotonicMs,
          m_run.key)
        .run();
    if (journalOffset)
        Query(m_connection, "UPDATE runs SET journal_offset = ?, journal_seq = ? WHERE key = ?", *journalOffset,
              last.seq, m_run.key)
            .run();
}

void Ingest::storeState(const protocol::Event& event)
{
    const std::string name = textField(event.fields, "state");
    const auto state = protocol::runStateFromName(name);
    if (!state) {
        log(LogLevel::Warning, str("Run ", m_id, ", event ", event.seq, ": unknown state \"", printable(name), "\"."));
        return;
    }
    std::optional<std::string> cause;
    if (event.fields.contains("cause") && event.fields["cause"].is_object()) cause = jsonText(event.fields["cause"]);
    const std::int64_t ended = protocol::isTerminal(*state) ? event.timeMs : 0;
    Query(m_connection,
          "UPDATE runs SET state = ?, cause = ?, ended_ms = ?, "
          "started_ms = CASE started_ms WHEN 0 THEN ? ELSE started_ms END WHERE key = ?",
          name, cause, ended, event.timeMs, m_run.key)
        .run();
}

void Ingest::storeParameter(const protocol::Event& event)
{
    const auto value = event.fields.find("value");
    Query(m_connection, "INSERT OR REPLACE INTO parameters(run, node, name, value) VALUES(?, ?, ?, ?)", m_run.key,
          textField(event.fields, "node"), textField(event.fields, "name"),
          value == event.fields.end() ? "null" : jsonText(*value))
        .run();
}

void Ingest::storeStage(const protocol::Event& event)
{
    const auto json = [&](const char* name) -> std::optional<std::string> {
        const auto found = event.fields.find(name);
        if (found == event.fields.end() || found->is_null()) return std::nullopt;
        return jsonText(*found);
    };
    std::optional<double> seconds;
    if (event.fields.contains("seconds")) seconds = realField(event.fields, "seconds");
    // what an event does not say stays as an earlier one said it
    Query(
        m_connection,
        "INSERT INTO stages(run, id, first_seq, type, state, seconds, progress, facts) VALUES(?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT(run, id) DO UPDATE SET type = CASE excluded.type WHEN '' THEN type ELSE excluded.type END, "
        "state = CASE excluded.state WHEN '' THEN state ELSE excluded.state END, "
        "seconds = coalesce(excluded.seconds, seconds), progress = coalesce(excluded.progress, progress), "
        "facts = coalesce(excluded.facts, facts)",
        m_run.key, textField(event.fields, "stage"), event.seq, textField(event.fields, "type"),
        textField(event.fields, "state"), seconds, json("progress"), json("facts"))
        .run();
}

std::int64_t Ingest::seriesKey(const std::string& stage, const std::string& name)
{
    const auto [known, isNew] = m_series.try_emplace({stage, name}, 0);
    if (!isNew) return known->second;
    // two stages of a run may log the same name: the later one's series carries its stage's name
    for (const std::string& candidate : {name, str(stage, "/", name)}) {
        Query(m_connection, "INSERT OR IGNORE INTO series(run, name, stage) VALUES(?, ?, ?)", m_run.key, candidate,
              stage)
            .run();
        Query query(m_connection, "SELECT key, stage FROM series WHERE run = ? AND name = ?", m_run.key, candidate);
        query.next();
        known->second = query.integer(0);
        if (query.text(1) == stage) break;
    }
    return known->second;
}

std::size_t Ingest::storeMetrics(const protocol::Event& event)
{
    const auto points = event.fields.find("points");
    if (points == event.fields.end() || !points->is_array()) return 1;
    const std::string stage = textField(event.fields, "stage");
    std::size_t bad = 0;
    for (const nlohmann::json& point : *points) {
        const bool isPoint =
            point.is_array() && point.size() == 3 && point[0].is_string() && point[1].is_number_integer();
        const auto value = isPoint ? protocol::metricValueFrom(point[2]) : std::nullopt;
        if (!value) {
            ++bad;
            continue;
        }
        Query(m_connection, "INSERT OR REPLACE INTO points(series, step, t, value) VALUES(?, ?, ?, ?)",
              seriesKey(stage, point[0].get<std::string>()), point[1].get<std::int64_t>(), relative(event),
              std::isnan(*value) ? std::nullopt : value)
            .run();
    }
    if (bad > 0)
        log(LogLevel::Warning, str("Run ", m_id, ", event ", event.seq, ": ", bad, " of ", points->size(),
                                   " points are no [name, step, value]."));
    return points->size() + 1;
}

void Ingest::storeLog(const protocol::Event& event)
{
    Query(m_connection, "INSERT OR REPLACE INTO logs(run, seq, t, level, stage, text) VALUES(?, ?, ?, ?, ?, ?)",
          m_run.key, event.seq, relative(event), textField(event.fields, "level"), textField(event.fields, "stage"),
          textField(event.fields, "text"))
        .run();
}

void Ingest::storeArtifact(const protocol::Event& event)
{
    const nlohmann::json& fields = event.fields;
    Query(m_connection, "INSERT OR REPLACE INTO artifacts(run, seq, t, fields) VALUES(?, ?, ?, ?)", m_run.key,
          event.seq, relative(event), jsonText(fields))
        .run();
    const std::string model = textField(fields, "name");
    if (textField(fields, "role") != "model" || model.empty()) return;
    ModelVersion version;
    version.model = model;
    version.sha256 = textField(fields, "sha256");
    version.path = joinPath(m_run.folder, textField(fields, "path"));
    version.stage = textField(fields, "stage");
    version.createdMs = event.timeMs;
    version.bytes = integerField(fields, "bytes");
    version.classes = textsField(fields, "classes");
    version.metrics = metricsField(fields, "metrics");
    const std::int64_t number = registerVersion(m_connection, version, m_run.key);
    if (const std::string alias = textField(fields, "alias"); !alias.empty())
        moveAlias(m_connection, model, alias, number, event.timeMs);
}

void Ingest::storeCheckpoint(const protocol::Event& event)
{
    Query(m_connection,
          "INSERT OR REPLACE INTO checkpoints(run, seq, t, stage, step, epoch, path, sha256, bytes) "
          "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
          m_run.key, event.seq, relative(event), textField(event.fields, "stage"), integerField(event.fields, "step"),
          integerField(event.fields, "epoch"), textField(event.fields, "path"), textField(event.fields, "sha256"),
          integerField(event.fields, "bytes"))
        .run();
}

void Ingest::storeTelemetry(const protocol::Event& event)
{
    std::optional<std::string> devices;
    const auto found = event.fields.find("devices");
    if (found != event.fields.end() && found->is_array() && !found->empty()) devices = jsonText(*found);
    Query(m_connection, "INSERT OR REPLACE INTO telemetry VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", m_run.key, event.seq,
          relative(event), realField(event.fields, "cpu_percent"), realField(event.fields, "process_cpu_percent"),
          integerField(event.fields, "memory_bytes"), integerField(event.fields, "host_memory_used_bytes"),
          integerField(event.fields, "host_memory_bytes"), devices)
        .run();
}

/// Where the next transaction begins.
struct Cursor
{
    std::size_t run = 0;
    std::size_t event = 0;
};

std::int64_t lastSeqOf(Connection& connection, const std::string& run)
{
    Query query(connection, "SELECT last_seq FROM runs WHERE id = ?", run);
    return query.next() ? query.integer(0) : 0;
}

/// Errors: InvalidArgument where an event is missing between what is stored and what comes, or in what comes.
Status checkSequence(const RunEvents& news, std::int64_t lastSeq)
{
    for (const protocol::Event& event : news.events) {
        if (event.seq > lastSeq + 1)
            return makeError(Code::InvalidArgument, str("Event ", event.seq, " of run ", news.run, " follows event ",
                                                        lastSeq, "; what lies between is missing."))
                .atRun(news.run);
        lastSeq = std::max(lastSeq, event.seq);
    }
    return {};
}

/// Stores events of one run from `cursor` on, until `points` reaches the limit; moves the cursor behind them.
Status storeRun(Connection& connection, const RunEvents& news, RunKey key, Cursor& cursor, std::size_t& points)
{
    std::int64_t lastSeq = lastSeqOf(connection, news.run);
    if (cursor.event == 0) MR_CHECK(checkSequence(news, lastSeq));
    Ingest ingest(connection, news.run, std::move(key));
    const protocol::Event* last = nullptr;
    for (; cursor.event < news.events.size() && points < kPointsPerTransaction; ++cursor.event) {
        const protocol::Event& event = news.events[cursor.event];
        if (event.seq <= lastSeq) continue;
        points += ingest.store(event);
        lastSeq = event.seq;
        last = &event;
    }
    const bool isWhole = cursor.event == news.events.size();
    if (last)
        ingest.advance(*last, isWhole && news.journalOffset > 0 ? std::optional(news.journalOffset) : std::nullopt);
    if (isWhole) cursor = {cursor.run + 1, 0};
    return {};
}
} // namespace

Status TrackingDatabase::ingest(const std::string& run, std::span<const protocol::Event> events,
                                std::uint64_t journalOffset)
{
    const RunEvents news{run, {events.begin(), events.end()}, journalOffset};
    return ingest(std::span(&news, 1));
}

Status TrackingDatabase::ingest(std::span<const RunEvents> news)
{
    Connection& connection = *m_impl->connection;
    Cursor cursor;
    const auto isKnown = [&](const RunEvents& run) {
        return run.events.empty() || run.events.back().seq <= lastSeqOf(connection, run.run);
    };
    // one transaction: as many events as fit, of as many runs as it takes; a run that cannot be stored ends it, so
    // that those before it are stored, and is the first of the next, which fails
    const auto storeGroup = [&]() -> Status {
        const std::size_t first = cursor.run;
        for (std::size_t points = 0; cursor.run < news.size() && points < kPointsPerTransaction;) {
            const RunEvents& run = news[cursor.run];
            auto key = m_impl->runKey(run.run);
            Status stored = key ? storeRun(connection, run, std::move(*key), cursor, points) : Status(key.error());
            if (!stored && cursor.run > first) return {};
            MR_CHECK(std::move(stored));
        }
        return {};
    };
    while (cursor.run < news.size()) {
        MR_TRY(const bool skip, connection.read([&]() -> Result<bool> { return isKnown(news[cursor.run]); }));
        if (skip)
            cursor = {cursor.run + 1, 0};
        else
            MR_CHECK(connection.write(storeGroup));
    }
    return {};
}

} // namespace millrace::storage
