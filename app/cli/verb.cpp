#include "app/cli/verb.h"

#include "engine/protocol/event.h"
#include "kernels/base/text.h"

#include <cstdio>
#include <unistd.h>

namespace millrace::cli {

void printJson(const nlohmann::json& json)
{
    // text from files may not be UTF-8; it is shown with replacement characters rather than not at all
    const std::string text = json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

int report(const Error& error, bool json)
{
    std::fprintf(stderr, "millrace: %s\n", printable(error.toString()).c_str());
    if (json) printJson({{"error", protocol::errorToJson(error)}});
    return Failed;
}

Result<Record> Record::open()
{
    Record record;
    MR_TRY(record.home, protocol::Home::fromEnvironment());
    MR_CHECK(record.home.create());
    MR_TRY(auto database, storage::TrackingDatabase::open(record.home.database()));
    record.database = std::make_unique<storage::TrackingDatabase>(std::move(database));
    if (!record.database->notice().empty()) std::fprintf(stderr, "millrace: %s\n", record.database->notice().c_str());
    record.follower = std::make_unique<storage::RunFollower>(record.home, *record.database);
    for (bool more = true; more;) {
        MR_TRY(const auto polled, record.follower->poll());
        for (const Error& problem : polled.problems)
            std::fprintf(stderr, "millrace: %s\n", printable(problem.toString()).c_str());
        more = polled.more;
    }
    return record;
}

nlohmann::json toJson(const storage::Run& run)
{
    nlohmann::json json{{"run", run.id},
                        {"name", run.name},
                        {"pipeline", run.pipelineName},
                        {"experiment", run.experiment},
                        {"state", protocol::name(run.state)},
                        {"seconds", run.seconds},
                        {"created", run.createdMs},
                        {"target", run.target},
                        {"device", run.device},
                        {"folder", run.folder}};
    if (run.startedMs > 0) json["started"] = run.startedMs;
    if (run.endedMs > 0) json["ended"] = run.endedMs;
    if (run.cause) json["cause"] = protocol::errorToJson(*run.cause);
    return json;
}

Result<nlohmann::json> resultOf(storage::TrackingDatabase& database, const std::string& id)
{
    MR_TRY(const storage::Run run, database.run(id));
    MR_TRY(const auto metrics, database.lastMetrics(run.id));
    MR_TRY(const auto stages, database.stages(run.id));
    nlohmann::json json = toJson(run);
    json["metrics"] = nlohmann::json::object();
    for (const auto& [name, value] : metrics) json["metrics"][name] = protocol::metricValue(value);
    json["stages"] = nlohmann::json::array();
    for (const storage::Stage& stage : stages)
        json["stages"].push_back({{"id", stage.id},
                                  {"type", stage.type},
                                  {"state", stage.state},
                                  {"cached", stage.state == "cached"},
                                  {"seconds", stage.seconds.value_or(0)}});
    return json;
}

} // namespace millrace::cli
