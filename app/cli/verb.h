// What the verbs of the command line share: where things are, and how results and errors are said.
#pragma once

#include "engine/protocol/home.h"
#include "kernels/base/result.h"
#include "storage/run_follower.h"
#include "storage/tracking_database.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace millrace::cli {

/// Exit statuses of the command.
enum Exit
{
    Done = 0,
    Failed = 1,
    WrongUsage = 2
};

/// Set by the verb that was chosen; what the command exits with.
struct Outcome
{
    int status = Done;
};

/// Each adds its verb to the command; parsing the arguments then runs it.
void addRun(CLI::App& command, Outcome& outcome);
void addCheck(CLI::App& command, Outcome& outcome);
void addNodes(CLI::App& command, Outcome& outcome);
void addRuns(CLI::App& command, Outcome& outcome);
void addModels(CLI::App& command, Outcome& outcome);
void addBench(CLI::App& command, Outcome& outcome);
void addGenerate(CLI::App& command, Outcome& outcome);

/// One JSON document on standard output, nothing else.
void printJson(const nlohmann::json& json);
/// The error on standard error, and with `json` as {"error": …} on standard output. Returns Exit::Failed.
int report(const Error& error, bool json);

/// $MILLRACE_HOME, its database, and a follower over both; made by verbs that need the record.
struct Record
{
    protocol::Home home;
    std::unique_ptr<storage::TrackingDatabase> database;
    std::unique_ptr<storage::RunFollower> follower;

    /// Opens all three and follows what is new, so that a verb sees the present state of every run.
    static Result<Record> open();
};

/// A run as `runs list --json` gives it.
nlohmann::json toJson(const storage::Run& run);
/// The document that `run --json` ends with.
Result<nlohmann::json> resultOf(storage::TrackingDatabase& database, const std::string& run);

} // namespace millrace::cli
