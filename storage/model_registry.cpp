// Models, their versions and aliases. A version is its bytes: the same bytes registered again are the same version.
#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "storage/database_impl.h"

#include <optional>

namespace millrace::storage {

namespace {
constexpr const char* kVersionColumns = "models.name, version, sha256, path, coalesce(runs.id, ''), "
                                        "coalesce(runs.name, ''), stage, model_versions.created_ms, "
                                        "bytes, classes, metrics, model";
constexpr const char* kVersionTables =
    "model_versions JOIN models ON models.key = model LEFT JOIN runs ON runs.key = run";

ModelVersion versionFrom(Connection& connection, Query& query)
{
    ModelVersion version;
    version.model = query.text(0);
    version.version = query.integer(1);
    version.sha256 = query.text(2);
    version.path = query.text(3);
    version.run = query.text(4);
    version.runName = query.text(5);
    version.stage = query.text(6);
    version.createdMs = query.integer(7);
    version.bytes = query.integer(8);
    const nlohmann::json lists{{"classes", parsedJson(query.text(9))}, {"metrics", parsedJson(query.text(10))}};
    version.classes = textsField(lists, "classes");
    version.metrics = metricsField(lists, "metrics");
    Query aliases(connection, "SELECT alias FROM aliases WHERE model = ? AND version = ? ORDER BY alias",
                  query.integer(11), version.version);
    while (aliases.next()) version.aliases.push_back(aliases.text(0));
    return version;
}

std::vector<std::string> modelNames(Connection& connection)
{
    Query query(connection, "SELECT name FROM models ORDER BY name");
    std::vector<std::string> names;
    while (query.next()) names.push_back(query.text(0));
    return names;
}

Error noModel(Connection& connection, const std::string& name)
{
    const auto names = modelNames(connection);
    return makeError(Code::NotFound, str("There is no model \"", printable(name), "\"."))
        .advise(names.empty() ? "No model has been registered yet." : didYouMean(name, names));
}

/// The versions of a model that has some, newest first. Errors: NotFound.
Result<std::vector<ModelVersion>> versionsOf(Connection& connection, const std::string& name)
{
    Query query(
        connection,
        str("SELECT ", kVersionColumns, " FROM ", kVersionTables, " WHERE models.name = ? ORDER BY version DESC"),
        name);
    std::vector<ModelVersion> versions;
    while (query.next()) versions.push_back(versionFrom(connection, query));
    if (versions.empty()) return noModel(connection, name);
    return versions;
}

Result<ModelVersion> numbered(const std::vector<ModelVersion>& versions, std::int64_t number)
{
    for (const ModelVersion& version : versions)
        if (version.version == number) return version;
    return makeError(Code::NotFound, str("The model ", printable(versions.front().model), " has no version ", number,
                                         "; the newest is ", versions.front().version, "."));
}

nlohmann::json metricsJson(const std::map<std::string, double>& metrics)
{
    nlohmann::json json = nlohmann::json::object();
    for (const auto& [name, value] : metrics) json[name] = protocol::metricValue(value);
    return json;
}
} // namespace

std::int64_t registerVersion(Connection& connection, const ModelVersion& version, std::optional<std::int64_t> runKey)
{
    Query(connection, "INSERT OR IGNORE INTO models(name) VALUES(?)", version.model).run();
    Query model(connection, "SELECT key, next_version FROM models WHERE name = ?", version.model);
    model.next();
    const std::int64_t key = model.integer(0), number = model.integer(1);
    Query known(connection, "SELECT version FROM model_versions WHERE model = ? AND sha256 = ?", key, version.sha256);
    if (known.next()) return known.integer(0);
    Query(connection,
          "INSERT INTO model_versions(model, version, sha256, path, run, stage, created_ms, bytes, classes, metrics) "
          "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
          key, number, version.sha256, version.path, runKey, version.stage, version.createdMs, version.bytes,
          jsonText(nlohmann::json(version.classes)), jsonText(metricsJson(version.metrics)))
        .run();
    Query(connection, "UPDATE models SET next_version = ? WHERE key = ?", number + 1, key).run();
    return number;
}

void moveAlias(Connection& connection, std::string_view model, std::string_view alias, std::int64_t version,
               std::int64_t whenMs)
{
    Query(connection,
          "INSERT INTO aliases(model, alias, version, set_ms) SELECT key, ?, ?, ? FROM models WHERE name = ? "
          "ON CONFLICT(model, alias) DO UPDATE SET version = excluded.version, set_ms = excluded.set_ms "
          "WHERE excluded.set_ms >= set_ms",
          alias, version, whenMs, model)
        .run();
}

Result<std::vector<Model>> TrackingDatabase::models()
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<std::vector<Model>> {
        std::vector<Model> models;
        for (const std::string& name : modelNames(connection)) {
            auto versions = versionsOf(connection, name);
            if (versions) models.push_back({name, versions->size(), std::move(versions->front())});
        }
        return models;
    });
}

Result<std::vector<ModelVersion>> TrackingDatabase::modelVersions(const std::string& name)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&] { return versionsOf(connection, name); });
}

Result<ModelVersion> TrackingDatabase::registerModel(const ModelVersion& version)
{
    if (version.model.empty() || version.model.find_first_of(":@") != std::string::npos)
        return makeError(Code::InvalidArgument, str("\"", printable(version.model), "\" cannot be a model's name: it ",
                                                    version.model.empty() ? "is empty." : "has : or @ in it."));
    Connection& connection = *m_impl->connection;
    std::int64_t number = 0;
    MR_CHECK(connection.write([&]() -> Status {
        std::optional<std::int64_t> runKey;
        if (!version.run.empty()) {
            MR_TRY(const RunKey run, m_impl->runKey(version.run));
            runKey = run.key;
        }
        ModelVersion complete = version;
        if (complete.createdMs == 0) complete.createdMs = unixMilliseconds();
        number = registerVersion(connection, complete, runKey);
        for (const std::string& alias : version.aliases)
            moveAlias(connection, version.model, alias, number, unixMilliseconds());
        return {};
    }));
    MR_TRY(const auto versions, modelVersions(version.model));
    return numbered(versions, number);
}

Status TrackingDatabase::setAlias(const std::string& model, const std::string& alias, std::int64_t version)
{
    if (alias.empty()) return makeError(Code::InvalidArgument, "The alias is empty.");
    Connection& connection = *m_impl->connection;
    return connection.write([&]() -> Status {
        MR_TRY(const auto versions, versionsOf(connection, model));
        MR_CHECK(numbered(versions, version));
        moveAlias(connection, model, alias, version, unixMilliseconds());
        return {};
    });
}

Status TrackingDatabase::removeAlias(const std::string& model, const std::string& alias)
{
    Connection& connection = *m_impl->connection;
    return connection.write([&]() -> Status {
        const int removed =
            Query(connection, "DELETE FROM aliases WHERE alias = ? AND model = (SELECT key FROM models WHERE name = ?)",
                  alias, model)
                .run();
        if (removed == 0)
            return makeError(Code::NotFound,
                             str("The model ", printable(model), " has no alias \"", printable(alias), "\"."));
        return {};
    });
}

Result<ModelVersion> TrackingDatabase::resolveModel(std::string_view reference)
{
    Connection& connection = *m_impl->connection;
    return connection.read([&]() -> Result<ModelVersion> {
        const auto at = reference.rfind('@');
        const auto colon = reference.rfind(':');
        const std::string name(reference.substr(0, std::min(at, colon)));
        MR_TRY(const auto versions, versionsOf(connection, name));
        if (at != std::string_view::npos) {
            const std::string alias(reference.substr(at + 1));
            std::vector<std::string> known;
            for (const ModelVersion& version : versions)
                for (const std::string& candidate : version.aliases) {
                    if (candidate == alias) return version;
                    known.push_back(candidate);
                }
            return makeError(Code::NotFound,
                             str("The model ", printable(name), " has no alias \"", printable(alias), "\"."))
                .advise(didYouMean(alias, known));
        }
        if (colon == std::string_view::npos) return versions.front();
        const auto number = parseInteger(reference.substr(colon + 1));
        if (!number)
            return makeError(Code::InvalidArgument, str("\"", printable(reference), "\" names no version."))
                .advise("Write name, name:3 or name@alias.");
        return numbered(versions, *number);
    });
}

Status TrackingDatabase::deleteModelVersion(const std::string& model, std::int64_t version)
{
    Connection& connection = *m_impl->connection;
    return connection.write([&]() -> Status {
        MR_TRY(const auto versions, versionsOf(connection, model));
        MR_CHECK(numbered(versions, version));
        Query(connection,
              "DELETE FROM model_versions WHERE version = ? AND model = (SELECT key FROM models WHERE name = ?)",
              version, model)
            .run();
        return {};
    });
}

} // namespace millrace::storage
