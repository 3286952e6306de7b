#include "storage/tracking_database.h"

#include "engine/pipeline/document.h"
#include "engine/protocol/run_id.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "storage/database_impl.h"
#include "storage/recovery.h"

#include <ctime>
#include <sys/stat.h>

namespace millrace::storage {

namespace {
constexpr std::int64_t kDaySeconds = 24 * 60 * 60;
}

NewRun describe(const protocol::Job& job, const std::string& folder)
{
    NewRun run;
    run.id = job.run;
    run.name = job.name.empty() ? job.run : job.name;
    run.pipelineText = job.pipelineText;
    if (const auto document = pipeline::parseDocument(job.pipelineText)) run.pipelineName = document->name;
    run.device = job.device;
    run.folder = folder;
    run.createdMs = protocol::timeOfRunId(job.run).value_or(unixMilliseconds());
    return run;
}

TrackingDatabase::TrackingDatabase(std::unique_ptr<Impl> impl) : m_impl(std::move(impl)) {}
TrackingDatabase::TrackingDatabase(TrackingDatabase&&) noexcept = default;
TrackingDatabase& TrackingDatabase::operator=(TrackingDatabase&&) noexcept = default;
TrackingDatabase::~TrackingDatabase() = default;

Result<TrackingDatabase> TrackingDatabase::open(const std::string& path, Access access, const OpenOptions& options)
{
    auto impl = std::make_unique<Impl>();
    MR_TRY(impl->connection, Connection::open(path, access, options));
    return TrackingDatabase(std::move(impl));
}

const std::string& TrackingDatabase::path() const
{
    return m_impl->connection->path();
}

Access TrackingDatabase::access() const
{
    return m_impl->connection->access();
}

const std::string& TrackingDatabase::notice() const
{
    return m_impl->connection->notice();
}

Result<RunKey> TrackingDatabase::Impl::runKey(const std::string& run)
{
    Query query(*connection, "SELECT key, created_ms, folder FROM runs WHERE id = ?", run);
    if (query.next()) return RunKey{query.integer(0), query.integer(1), query.text(2)};
    return makeError(Code::NotFound, str("The tracking database has no run \"", printable(run), "\"."))
        .atRun(run)
        .advise("`millrace runs list` shows the runs.");
}

Status TrackingDatabase::createRun(const NewRun& run)
{
    if (!protocol::isRunId(run.id))
        return makeError(Code::InvalidArgument, str("\"", printable(run.id), "\" is no run id."));
    Connection& connection = *m_impl->connection;
    return connection.write([&]() -> Status {
        if (Query(connection, "SELECT 1 FROM runs WHERE id = ?", run.id).next()) return {};
        std::string name = run.name.empty() ? run.id : run.name;
        for (int n = 2; Query(connection, "SELECT 1 FROM runs WHERE name = ?", name).next(); ++n)
            name = str(run.name, "-", n);
        const std::string& experiment = run.experiment.empty() ? run.pipelineName : run.experiment;
        Query(connection,
              "INSERT INTO runs(id, name, pipeline_name, experiment, state, created_ms, target, device, folder) "
              "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
              run.id, name, run.pipelineName, experiment, protocol::name(protocol::RunState::Queued), run.createdMs,
              run.target, run.device, run.folder)
            .run();
        Query(connection, "INSERT INTO pipelines(run, text) SELECT key, ? FROM runs WHERE id = ?", run.pipelineText,
              run.id)
            .run();
        return {};
    });
}

/// What came from the run's journal, inside a transaction. Registered versions stay: they are named by their bytes.
Status TrackingDatabase::Impl::forget(std::int64_t key)
{
    Query(*connection, "DELETE FROM points WHERE series IN (SELECT key FROM series WHERE run = ?)", key).run();
    for (const char* table : {"series", "parameters", "stages", "artifacts", "checkpoints", "logs", "telemetry"})
        Query(*connection, str("DELETE FROM ", table, " WHERE run = ?"), key).run();
    return {};
}

Status TrackingDatabase::forgetEvents(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.write([&]() -> Status {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        MR_CHECK(m_impl->forget(key.key));
        Query(connection,
              "UPDATE runs SET state = 'queued', cause = NULL, started_ms = 0, ended_ms = 0, worked_ms = 0, "
              "last_seq = 0, journal_offset = 0, journal_seq = 0 WHERE key = ?",
              key.key)
            .run();
        return {};
    });
}

Status TrackingDatabase::setRunState(const std::string& run, protocol::RunState state,
                                     const std::optional<Error>& cause)
{
    Connection& connection = *m_impl->connection;
    return connection.write([&]() -> Status {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        std::optional<std::string> causeText;
        if (cause) causeText = jsonText(protocol::errorToJson(*cause));
        const std::int64_t ended = protocol::isTerminal(state) ? unixMilliseconds() : 0;
        Query(connection, "UPDATE runs SET state = ?, cause = ?, ended_ms = ? WHERE key = ?", protocol::name(state),
              causeText, ended, key.key)
            .run();
        return {};
    });
}

Status TrackingDatabase::setExperiment(const std::string& run, const std::string& experiment)
{
    Connection& connection = *m_impl->connection;
    return connection.write([&]() -> Status {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query(connection, "UPDATE runs SET experiment = ? WHERE key = ?", experiment, key.key).run();
        return {};
    });
}

Status TrackingDatabase::deleteRun(const std::string& run)
{
    Connection& connection = *m_impl->connection;
    return connection.write([&]() -> Status {
        MR_TRY(const RunKey key, m_impl->runKey(run));
        Query version(connection,
                      "SELECT models.name, version FROM model_versions JOIN models ON models.key = model "
                      "WHERE run = ? ORDER BY version LIMIT 1",
                      key.key);
        if (version.next()) {
            const std::string name = str(version.text(0), ":", version.integer(1));
            return makeError(Code::InvalidArgument,
                             str("The run holds the file of the registered model ", printable(name), "."))
                .atRun(run)
                .advise("Delete the model version first.");
        }
        MR_CHECK(m_impl->forget(key.key));
        Query(connection, "DELETE FROM runs WHERE key = ?", key.key).run();
        return {};
    });
}

Result<std::string> TrackingDatabase::backUp()
{
    return m_impl->connection->backUp();
}

Status TrackingDatabase::backUpDaily()
{
    const auto backups = backupsOf(path());
    struct stat status
    {
    };
    const bool isFresh = !backups.empty() && ::stat(backups.front().c_str(), &status) == 0 &&
                         std::time(nullptr) - status.st_mtim.tv_sec < kDaySeconds;
    if (isFresh) return {};
    // a damaged database must not push the good backups out
    MR_CHECK(verify());
    MR_CHECK(backUp());
    return {};
}

Status TrackingDatabase::verify()
{
    return m_impl->connection->quickCheck();
}

Status TrackingDatabase::checkpoint()
{
    return m_impl->connection->checkpoint();
}

nlohmann::json parsedJson(const std::string& text)
{
    nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
    return json.is_discarded() ? nlohmann::json() : json;
}

std::string jsonText(const nlohmann::json& json)
{
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

namespace {
const nlohmann::json& field(const nlohmann::json& json, const char* name)
{
    static const nlohmann::json null;
    if (!json.is_object()) return null;
    const auto found = json.find(name);
    return found == json.end() ? null : *found;
}
} // namespace

std::string textField(const nlohmann::json& json, const char* name)
{
    const nlohmann::json& value = field(json, name);
    return value.is_string() ? value.get<std::string>() : std::string();
}

std::int64_t integerField(const nlohmann::json& json, const char* name)
{
    const nlohmann::json& value = field(json, name);
    return value.is_number_integer() ? value.get<std::int64_t>() : 0;
}

double realField(const nlohmann::json& json, const char* name)
{
    const nlohmann::json& value = field(json, name);
    return value.is_number() ? value.get<double>() : 0;
}

std::map<std::string, double> metricsField(const nlohmann::json& json, const char* name)
{
    std::map<std::string, double> metrics;
    const nlohmann::json& values = field(json, name);
    if (!values.is_object()) return metrics;
    for (const auto& [key, value] : values.items())
        if (const auto number = protocol::metricValueFrom(value)) metrics[key] = *number;
    return metrics;
}

std::vector<std::string> textsField(const nlohmann::json& json, const char* name)
{
    std::vector<std::string> texts;
    const nlohmann::json& values = field(json, name);
    if (!values.is_array()) return texts;
    for (const nlohmann::json& value : values)
        texts.push_back(value.is_string() ? value.get<std::string>() : value.dump());
    return texts;
}

} // namespace millrace::storage
