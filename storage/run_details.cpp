// What a run said: parameters, curves, stages, artifacts, checkpoints, log and telemetry.
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "storage/database_impl.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millrace::storage {

namespace {
double valueOrNan(Query& query, int column)
{
    return query.isNull(column) ? std::numeric_limits<double>::quiet_NaN() : query.real(column);
}

/// Reduces points that come by step to the smallest and largest of each bucket, with the first and last of all.
class Buckets
{
public:
    Buckets(std::int64_t firstStep, std::int64_t lastStep, std::size_t count)
        : m_firstStep(firstStep),
          m_width(std::max(1.0, (static_cast<double>(lastStep) - static_cast<double>(firstStep) + 1) /
                                    static_cast<double>(count)))
    {
    }

    void add(const Point& point)
    {
        const auto bucket =
            static_cast<std::int64_t>((static_cast<double>(point.step) - static_cast<double>(m_firstStep)) / m_width);
        if (m_kept.empty() && !m_low) m_kept.push_back(point);
        if (bucket != m_bucket) flush();
        m_bucket = bucket;
        // a NaN is smaller and larger than nothing; it is kept only where its bucket has no number
        if (!m_low || std::isnan(m_low->value) || point.value < m_low->value) m_low = point;
        if (!m_high || std::isnan(m_high->value) || point.value > m_high->value) m_high = point;
        m_last = point;
    }

    std::vector<Point> finish()
    {
        flush();
        if (m_last) keep(*m_last);
        return std::move(m_kept);
    }

private:
    void flush()
    {
        if (!m_low) return;
        const bool lowFirst = m_low->step <= m_high->step;
        keep(lowFirst ? *m_low : *m_high);
        keep(lowFirst ? *m_high : *m_low);
        m_low.reset();
        m_high.reset();
    }
    void keep(const Point& point)
    {
        if (m_kept.empty() || m_kept.back().step < point.step) m_kept.push_back(point);
    }

    std::int64_t m_firstStep;
    double m_width;
    std::int64_t m_bucket = 0;
    std::optional<Point> m_low, m_high, m_last;
    std::vector<Point> m_kept;
};
} // namespace

Result<std::string> TrackingDatabase::pipelineText(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::string> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query query(connection, "SELECT text FROM pipelines WHERE run = ?", key.key);
        return query.next() ? query.text(0) : std::string();
    });
}

Result<std::vector<Parameter>> TrackingDatabase::parameters(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<Parameter>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query query(connection, "SELECT node, name, value FROM parameters WHERE run = ? ORDER BY node, name", key.key);
        std::vector<Parameter> parameters;
        while (query.next()) parameters.push_back({query.text(0), query.text(1), parsedJson(query.text(2))});
        return parameters;
    });
}

Result<std::vector<SeriesInfo>> TrackingDatabase::seriesNames(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<SeriesInfo>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query query(connection,
                    "SELECT name, stage, count, step, value FROM series JOIN "
                    "(SELECT series, count(*) AS count, max(step) AS step, value FROM points "
                    " WHERE series IN (SELECT key FROM series WHERE run = ?1) GROUP BY series) "
                    "ON series = key ORDER BY name",
                    key.key);
        std::vector<SeriesInfo> names;
        while (query.next())
            names.push_back({query.text(0), query.text(1), static_cast<std::size_t>(query.integer(2)), query.integer(3),
                             valueOrNan(query, 4)});
        return names;
    });
}

Result<std::vector<Point>> TrackingDatabase::series(const std::string& run, const std::string& name,
                                                    std::size_t buckets)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<Point>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query series(connection, "SELECT key FROM series WHERE run = ? AND name = ?", key.key, name);
        std::vector<Point> points;
        if (!series.next()) return points;
        const std::int64_t seriesKey = series.integer(0);
        Query ends(connection, "SELECT min(step), max(step), count(*) FROM points WHERE series = ?", seriesKey);
        if (!ends.next()) return points;
        const auto count = static_cast<std::size_t>(ends.integer(2));
        const bool reduce = buckets > 0 && count > 2 * buckets + 2;
        Buckets reduced(ends.integer(0), ends.integer(1), std::max<std::size_t>(1, buckets));
        if (!reduce) points.reserve(count);
        Query query(connection, "SELECT step, t, value FROM points WHERE series = ? ORDER BY step", seriesKey);
        while (query.next()) {
            const Point point{query.integer(0), key.createdMs + query.integer(1), valueOrNan(query, 2)};
            if (reduce)
                reduced.add(point);
            else
                points.push_back(point);
        }
        return reduce ? reduced.finish() : points;
    });
}

Result<std::vector<Stage>> TrackingDatabase::stages(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<Stage>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query query(connection,
                    "SELECT id, type, state, seconds, progress, facts FROM stages WHERE run = ? ORDER BY first_seq",
                    key.key);
        std::vector<Stage> stages;
        while (query.next()) {
            Stage stage{query.text(0), query.text(1), query.text(2), std::nullopt, {}, nullptr};
            if (!query.isNull(3)) stage.seconds = query.real(3);
            if (!query.isNull(4)) stage.progress = protocol::progressFromJson(parsedJson(query.text(4)));
            if (!query.isNull(5)) stage.facts = parsedJson(query.text(5));
            stages.push_back(std::move(stage));
        }
        return stages;
    });
}

Result<std::vector<Artifact>> TrackingDatabase::artifacts(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<Artifact>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query query(connection, "SELECT seq, t, fields FROM artifacts WHERE run = ? ORDER BY seq", key.key);
        std::vector<Artifact> artifacts;
        while (query.next()) {
            Artifact artifact;
            artifact.seq = query.integer(0);
            artifact.timeMs = key.createdMs + query.integer(1);
            artifact.fields = parsedJson(query.text(2));
            artifact.stage = textField(artifact.fields, "stage");
            artifact.role = textField(artifact.fields, "role");
            const std::string path = textField(artifact.fields, "path");
            artifact.path = path.empty() ? path : joinPath(key.folder, path);
            artifact.sha256 = textField(artifact.fields, "sha256");
            artifact.bytes = integerField(artifact.fields, "bytes");
            artifacts.push_back(std::move(artifact));
        }
        return artifacts;
    });
}

Result<std::vector<Checkpoint>> TrackingDatabase::checkpoints(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<Checkpoint>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query query(
            connection,
            "SELECT seq, t, stage, step, epoch, path, sha256, bytes FROM checkpoints WHERE run = ? ORDER BY seq",
            key.key);
        std::vector<Checkpoint> checkpoints;
        while (query.next())
            checkpoints.push_back({query.integer(0), key.createdMs + query.integer(1), query.text(2), query.integer(3),
                                   query.integer(4), joinPath(key.folder, query.text(5)), query.text(6),
                                   query.integer(7)});
        return checkpoints;
    });
}

Result<std::vector<LogLine>> TrackingDatabase::logs(const std::string& run, std::int64_t afterSeq, std::size_t limit)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<LogLine>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query query(connection,
                    "SELECT seq, t, level, stage, text FROM logs WHERE run = ? AND seq > ? ORDER BY seq DESC LIMIT ?",
                    key.key, afterSeq, limit == 0 ? std::int64_t{-1} : static_cast<std::int64_t>(limit));
        std::vector<LogLine> lines;
        while (query.next())
            lines.push_back(
                {query.integer(0), key.createdMs + query.integer(1), query.text(2), query.text(3), query.text(4)});
        std::reverse(lines.begin(), lines.end());
        return lines;
    });
}

Result<std::vector<TelemetrySample>> TrackingDatabase::telemetry(const std::string& run, std::size_t maximum)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<TelemetrySample>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query all(connection, "SELECT count(*) FROM telemetry WHERE run = ?", key.key);
        all.next();
        const auto count = static_cast<std::size_t>(all.integer(0));
        const std::size_t every = maximum == 0 ? 1 : std::max<std::size_t>(1, (count + maximum - 1) / maximum);
        Query query(connection,
                    "SELECT t, cpu_percent, process_cpu_percent, memory_bytes, host_memory_used_bytes, "
                    "host_memory_bytes, devices FROM telemetry WHERE run = ? ORDER BY seq",
                    key.key);
        std::vector<TelemetrySample> samples;
        for (std::size_t i = 0; query.next(); ++i) {
            if (i % every != 0) continue;
            TelemetrySample sample{key.createdMs + query.integer(0),
                                   query.real(1),
                                   query.real(2),
                                   query.integer(3),
                                   query.integer(4),
                                   query.integer(5)};
            if (!query.isNull(6)) sample.devices = parsedJson(query.text(6));
            samples.push_back(std::move(sample));
        }
        return samples;
    });
}

} // namespace millrace::storage
