// Finding runs: lists, filters, and the run that a user means.
#include "kernels/base/text.h"
#include "storage/database_impl.h"

#include <limits>

namespace millrace::storage {

namespace {
constexpr const char* kColumns =
    "key, id, name, pipeline_name, experiment, state, cause, created_ms, started_ms, ended_ms, worked_ms, target, "
    "device, folder, last_seq, journal_offset, journal_seq";

Run runFrom(Query& query)
{
    Run run;
    run.id = query.text(1);
    run.name = query.text(2);
    run.pipelineName = query.text(3);
    run.experiment = query.text(4);
    run.state = protocol::runStateFromName(query.text(5)).value_or(protocol::RunState::Lost);
    if (!query.isNull(6)) run.cause = protocol::errorFromJson(parsedJson(query.text(6)));
    run.createdMs = query.integer(7);
    run.startedMs = query.integer(8);
    run.endedMs = query.integer(9);
    run.seconds = static_cast<double>(query.integer(10)) / 1000;
    run.target = query.text(11);
    run.device = query.text(12);
    run.folder = query.text(13);
    run.lastSeq = query.integer(14);
    run.journalOffset = static_cast<std::uint64_t>(query.integer(15));
    run.journalSeq = query.integer(16);
    return run;
}

const char* orderColumn(RunOrder order)
{
    switch (order) {
    case RunOrder::Created:
        return "created_ms";
    case RunOrder::Name:
        return "name";
    case RunOrder::Pipeline:
        return "pipeline_name";
    case RunOrder::State:
        return "state";
    case RunOrder::Seconds:
        return "worked_ms";
    }
    return "created_ms";
}

/// The text as a LIKE pattern (escape character '\') for "contains".
std::string containing(const std::string& text)
{
    std::string pattern = "%";
    for (const char c : text) {
        if (c == '%' || c == '_' || c == '\\') pattern += '\\';
        pattern += c;
    }
    return pattern + '%';
}

std::map<std::string, double> lastMetricsOf(Connection& connection, std::int64_t run)
{
    Query query(connection,
                "SELECT name, (SELECT coalesce(value, 'NaN') FROM points WHERE points.series = series.key "
                "ORDER BY step DESC LIMIT 1) FROM series WHERE run = ?",
                run);
    std::map<std::string, double> metrics;
    while (query.next())
        metrics[query.text(0)] = query.text(1) == "NaN" ? std::numeric_limits<double>::quiet_NaN() : query.real(1);
    return metrics;
}
} // namespace

Result<std::vector<Run>> TrackingDatabase::runs(const RunQuery& wanted)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<Run>> {
        const std::string direction = wanted.descending ? "DESC" : "ASC";
        const std::string sql =
            str("SELECT ", kColumns,
                " FROM runs WHERE (?1 = '%%' OR name LIKE ?1 ESCAPE '\\' OR id LIKE ?1 ESCAPE '\\' OR "
                "pipeline_name LIKE ?1 ESCAPE '\\' OR experiment LIKE ?1 ESCAPE '\\') "
                "AND (?2 = '' OR experiment = ?2) AND (?3 = '' OR state = ?3) ORDER BY ",
                orderColumn(wanted.order), " ", direction, ", id ", direction, " LIMIT ?4");
        const std::int64_t limit = wanted.limit == 0 ? -1 : static_cast<std::int64_t>(wanted.limit);
        Query query(connection, sql, containing(wanted.text), wanted.experiment,
                    wanted.state ? protocol::name(*wanted.state) : std::string_view(), limit);
        std::vector<Run> found;
        while (query.next()) {
            found.push_back(runFrom(query));
            if (wanted.metrics) found.back().metrics = lastMetricsOf(connection, query.integer(0));
        }
        return found;
    });
}

Result<Run> TrackingDatabase::run(const std::string& idOrName)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<Run> {
        Query exact(connection, str("SELECT ", kColumns, " FROM runs WHERE id = ?1 OR name = ?1 ORDER BY id = ?1 DESC"),
                    idOrName);
        if (exact.next()) return runFrom(exact);
        Query byBeginning(
            connection, str("SELECT ", kColumns, " FROM runs WHERE substr(id, 1, length(?1)) = ?1 LIMIT 6"), idOrName);
        std::vector<Run> candidates;
        while (!idOrName.empty() && byBeginning.next()) candidates.push_back(runFrom(byBeginning));
        if (candidates.size() == 1) return candidates.front();
        if (candidates.size() > 1) {
            std::vector<std::string> ids;
            for (const Run& candidate : candidates) ids.push_back(candidate.id);
            return makeError(Code::InvalidArgument, str("Several runs begin with \"", printable(idOrName), "\": ",
                                                        joined(ids, ", "), candidates.size() > 5 ? ", …." : "."))
                .advise("Give more of the id.");
        }
        Query newest(connection, "SELECT name FROM runs ORDER BY created_ms DESC LIMIT 1000");
        std::vector<std::string> names;
        while (newest.next()) names.push_back(newest.text(0));
        return makeError(Code::NotFound, str("There is no run \"", printable(idOrName), "\"."))
            .advise(names.empty() ? "No run has been started yet." : didYouMean(idOrName, names));
    });
}

Result<std::map<std::string, std::size_t>> TrackingDatabase::experiments()
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::map<std::string, std::size_t>> {
        Query query(connection, "SELECT experiment, count(*) FROM runs GROUP BY experiment");
        std::map<std::string, std::size_t> counts;
        while (query.next()) counts[query.text(0)] = static_cast<std::size_t>(query.integer(1));
        return counts;
    });
}

Result<std::map<std::string, double>> TrackingDatabase::lastMetrics(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::map<std::string, double>> {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        return lastMetricsOf(connection, key.key);
    });
}

} // namespace millrace::storage
