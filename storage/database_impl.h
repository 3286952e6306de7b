// What the parts of TrackingDatabase share. Internal to storage.
#pragma once

#include "storage/connection.h"

namespace millrace::storage {

/// A run's row number and the times that its rows are relative to.
struct RunKey
{
    std::int64_t key = 0;
    std::int64_t createdMs = 0;
    std::string folder;
};

struct TrackingDatabase::Impl
{
    std::unique_ptr<Connection> connection;

    /// Errors: NotFound.
    Result<RunKey> runKey(const std::string& run);
    Status forget(std::int64_t key);
};

/// Registers inside a write transaction, or finds the version with the same bytes. Returns its number.
std::int64_t registerVersion(Connection& connection, const ModelVersion& version, std::optional<std::int64_t> runKey);
/// Moves the alias inside a write transaction, unless it was set after `whenMs`.
void moveAlias(Connection& connection, std::string_view model, std::string_view alias, std::int64_t version,
               std::int64_t whenMs);

/// A JSON text of our own writing; null where it is none.
nlohmann::json parsedJson(const std::string& text);
std::string jsonText(const nlohmann::json& json);
/// The field as that type, or the fallback where it is missing or of another type.
std::string textField(const nlohmann::json& json, const char* name);
std::int64_t integerField(const nlohmann::json& json, const char* name);
double realField(const nlohmann::json& json, const char* name);
/// {"name": number or "NaN", …}
std::map<std::string, double> metricsField(const nlohmann::json& json, const char* name);
std::vector<std::string> textsField(const nlohmann::json& json, const char* name);

} // namespace millrace::storage
