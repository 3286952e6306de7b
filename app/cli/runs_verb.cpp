// millrace runs: list, show, compare, export, watch, stop and delete what was run.
#include "app/cli/follow.h"
#include "app/cli/gpu_use.h"
#include "app/cli/terminal.h"
#include "app/cli/verb.h"
#include "engine/data/csv.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"
#include "storage/run_removal.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <set>

namespace millrace::cli {

namespace {

struct Options
{
    std::vector<std::string> runs;
    std::string text, state, output, format = "csv";
    std::size_t limit = 50;
    bool json = false;
};

std::string number(const std::map<std::string, double>& metrics, const std::string& name)
{
    const auto found = metrics.find(name);
    return found == metrics.end() ? "" : significant(found->second, 4);
}

Result<int> list(const Options& options)
{
    MR_TRY(const Record record, Record::open());
    storage::RunQuery query;
    query.text = options.text;
    query.limit = options.limit;
    query.metrics = true;
    if (!options.state.empty()) {
        query.state = protocol::runStateFromName(options.state);
        if (!query.state)
            return makeError(Code::InvalidArgument, str("There is no run state \"", printable(options.state), "\"."))
                .advise("Use queued, starting, running, stopping, finished, failed, stopped or lost.");
    }
    MR_TRY(const auto runs, record.database->runs(query));
    if (options.json) {
        nlohmann::json all = nlohmann::json::array();
        for (const storage::Run& run : runs) {
            all.push_back(toJson(run));
            all.back()["metrics"] = nlohmann::json::object();
            for (const auto& [name, value] : run.metrics) all.back()["metrics"][name] = protocol::metricValue(value);
        }
        printJson(all);
        return Done;
    }
    if (runs.empty()) {
        std::fputs("No runs. Start one with: millrace run FILE.millrace\n", stderr);
        return Done;
    }
    Table table({"run", "name", "pipeline", "state", "test accuracy", "val. loss", "time", "when"},
                {false, false, false, false, true, true, true, false});
    for (const storage::Run& run : runs)
        table.add({run.id, run.name, run.pipelineName, std::string(protocol::name(run.state)),
                   number(run.metrics, "test.accuracy"), number(run.metrics, "validation.loss"),
                   formatDuration(run.seconds), ago(run.createdMs)});
    std::fputs(table.toString().c_str(), stdout);
    return Done;
}

Result<int> show(const Options& options)
{
    MR_TRY(const Record record, Record::open());
    MR_TRY(const storage::Run run, record.database->run(options.runs.at(0)));
    MR_TRY(nlohmann::json json, resultOf(*record.database, run.id));
    MR_TRY(const auto parameters, record.database->parameters(run.id));
    MR_TRY(const auto checkpoints, record.database->checkpoints(run.id));
    MR_TRY(const auto artifacts, record.database->artifacts(run.id));
    json["parameters"] = nlohmann::json::object();
    for (const auto& parameter : parameters)
        json["parameters"][parameter.node + "." + parameter.name] = parameter.value;
    json["checkpoints"] = nlohmann::json::array();
    for (const auto& checkpoint : checkpoints)
        json["checkpoints"].push_back(
            {{"step", checkpoint.step}, {"epoch", checkpoint.epoch}, {"path", checkpoint.path}});
    json["artifacts"] = nlohmann::json::array();
    for (const auto& artifact : artifacts) json["artifacts"].push_back(artifact.fields);
    MR_TRY(const auto telemetry, record.database->telemetry(run.id));
    json["gpus"] = gpuUse(telemetry);
    if (options.json) {
        printJson(json);
        return Done;
    }
    std::printf("%s (%s)\n%s · %s · %s · %s\n%s\n", printable(run.name).c_str(), run.id.c_str(),
                printable(run.pipelineName).c_str(), std::string(protocol::name(run.state)).c_str(),
                formatDuration(run.seconds).c_str(), ago(run.createdMs).c_str(), run.folder.c_str());
    std::fputs(gpuLines(json["gpus"]).c_str(), stdout);
    if (run.cause) std::printf("%s\n", printable(run.cause->toString()).c_str());
    const auto section = [](const char* title, const Table& table) {
        std::printf("\n%s\n%s", title, table.toString().c_str());
    };
    Table stages({"stage", "type", "state", "time"}, {false, false, false, true});
    for (const auto& stage : json["stages"])
        stages.add({stage["id"], stage["type"], stage["state"], formatDuration(stage["seconds"].get<double>())});
    section("Stages", stages);
    Table metrics({"metric", "last value"}, {false, true});
    for (const auto& [name, value] : json["metrics"].items())
        metrics.add({name, value.is_number() ? significant(value.get<double>(), 6) : value.dump()});
    section("Metrics", metrics);
    Table params({"parameter", "value"});
    for (const auto& [name, value] : json["parameters"].items()) params.add({name, value.dump()});
    section("Parameters", params);
    return Done;
}

// Parameters and metrics of several runs, one column a run, only what differs.
Result<int> compare(const Options& options)
{
    MR_TRY(const Record record, Record::open());
    std::vector<storage::Run> runs;
    std::map<std::string, std::vector<nlohmann::json>> rows; // "fit.epochs" → the value in each run
    for (std::size_t i = 0; i < options.runs.size(); ++i) {
        MR_TRY(const storage::Run run, record.database->run(options.runs[i]));
        MR_TRY(const auto parameters, record.database->parameters(run.id));
        MR_TRY(const auto metrics, record.database->lastMetrics(run.id));
        const auto put = [&](const std::string& name, nlohmann::json value) {
            auto& row = rows[name];
            row.resize(options.runs.size());
            row[i] = std::move(value);
        };
        for (const auto& parameter : parameters) put(parameter.node + "." + parameter.name, parameter.value);
        for (const auto& [name, value] : metrics) put(name, protocol::metricValue(value));
        runs.push_back(run);
    }
    std::erase_if(rows, [](const auto& row) {
        return std::set<nlohmann::json>(row.second.begin(), row.second.end()).size() < 2;
    });
    if (options.json) {
        nlohmann::json json{{"runs", nlohmann::json::array()}, {"differing", rows}};
        for (const storage::Run& run : runs) json["runs"].push_back(toJson(run));
        printJson(json);
        return Done;
    }
    std::vector<std::string> titles{"only what differs"};
    for (const storage::Run& run : runs) titles.push_back(run.name);
    Table table(titles);
    for (const auto& [name, values] : rows) {
        std::vector<std::string> cells{name};
        for (const auto& value : values)
            cells.push_back(value.is_null()           ? "—"
                            : value.is_number_float() ? significant(value.get<double>(), 5)
                                                      : value.dump());
        table.add(cells);
    }
    std::fputs(table.toString().c_str(), stdout);
    return Done;
}

Result<int> exportRun(const Options& options)
{
    MR_TRY(const Record record, Record::open());
    MR_TRY(const storage::Run run, record.database->run(options.runs.at(0)));
    MR_TRY(const auto names, record.database->seriesNames(run.id));
    std::string text = "metric,step,time_ms,value\n";
    nlohmann::json json{{"run", toJson(run)}, {"series", nlohmann::json::object()}};
    for (const auto& info : names) {
        MR_TRY(const auto points, record.database->series(run.id, info.name));
        nlohmann::json& series = json["series"][info.name] = nlohmann::json::array();
        for (const storage::Point& point : points) {
            series.push_back({point.step, point.timeMs, protocol::metricValue(point.value)});
            text += str(data::csvField(info.name), ",", point.step, ",", point.timeMs, ",", point.value, "\n");
        }
    }
    if (options.format == "json") text = json.dump(2) + "\n";
    if (options.output.empty()) {
        std::fwrite(text.data(), 1, text.size(), stdout);
    } else {
        MR_CHECK(durableReplace(options.output, text));
        std::fprintf(stderr, "Wrote %s.\n", options.output.c_str());
    }
    return Done;
}

Result<int> watch(const Options& options)
{
    MR_TRY(Record record, Record::open());
    MR_TRY(const storage::Run run, record.database->run(options.runs.at(0)));
    ProgressLines lines;
    const auto say = [&](const protocol::Event& event) {
        if (options.json)
            std::printf("%s\n", protocol::toLine(event).c_str());
        else
            lines.show(event);
    };
    // what was said before now comes from the journal, what follows from following it
    protocol::JournalReader before(protocol::RunFolder{run.folder}.journal());
    for (;;) {
        MR_TRY(const auto events, before.readNew());
        if (events.empty()) break;
        for (const protocol::Event& event : events)
            if (event.seq <= run.lastSeq) say(event);
    }
    MR_CHECK(follow(record, run.id, nullptr, say));
    lines.finish();
    MR_TRY(const storage::Run ended, record.database->run(run.id));
    std::fprintf(stderr, "%s %s\n", printable(ended.name).c_str(), std::string(protocol::name(ended.state)).c_str());
    return ended.state == protocol::RunState::Finished ? Done : Failed;
}

Result<int> stop(const Options& options)
{
    MR_TRY(Record record, Record::open());
    for (const std::string& id : options.runs) {
        MR_TRY(const storage::Run run, record.database->run(id));
        if (protocol::isTerminal(run.state)) {
            std::fprintf(stderr, "%s is not running: it is %s.\n", printable(run.name).c_str(),
                         std::string(protocol::name(run.state)).c_str());
            continue;
        }
        MR_CHECK(cluster::requestStop(protocol::RunFolder{run.folder}));
        MR_CHECK(follow(record, run.id, nullptr, [](const protocol::Event&) {}));
        MR_TRY(const storage::Run ended, record.database->run(run.id));
        std::fprintf(stderr, "%s is %s.\n", printable(run.name).c_str(),
                     std::string(protocol::name(ended.state)).c_str());
    }
    return Done;
}

Result<int> remove(const Options& options)
{
    MR_TRY(Record record, Record::open());
    for (const std::string& id : options.runs) {
        MR_TRY(const storage::Run run, record.database->run(id));
        MR_CHECK(storage::removeRun(*record.database, record.home, run.id));
        std::fprintf(stderr, "Deleted %s.\n", printable(run.name).c_str());
    }
    return Done;
}

using Action = Result<int> (*)(const Options&);

} // namespace

void addRuns(CLI::App& command, Outcome& outcome)
{
    const auto options = std::make_shared<Options>(); // lives as long as the command's parser
    CLI::App* verb = command.add_subcommand("runs", "List, show, compare, export, watch, stop and delete runs");
    verb->require_subcommand(1);
    const auto add = [&](const char* name, const char* help, Action action) {
        CLI::App* sub = verb->add_subcommand(name, help);
        sub->callback([options, action, &outcome] {
            const auto status = action(*options);
            outcome.status = status ? *status : report(status.error(), options->json);
        });
        return sub;
    };
    const auto addJson = [&](CLI::App* sub, const char* help) { sub->add_flag("--json", options->json, help); };
    const auto addRunNames = [&](CLI::App* sub, int least, int most) {
        sub->add_option("run", options->runs, "Name, id or the beginning of an id")->required()->expected(least, most);
    };
    constexpr int kMany = 10000;

    CLI::App* sub = add("list", "The newest runs, with state and results", list);
    sub->add_option("text", options->text, "Only those with this in name, id or pipeline");
    sub->add_option("--state", options->state, "Only those in this state");
    sub->add_option("--limit", options->limit, "At most so many (default 50; 0: all)");
    addJson(sub, "One JSON document on standard output");

    sub = add("show", "One run: stages, metrics, parameters, checkpoints", show);
    addRunNames(sub, 1, 1);
    addJson(sub, "One JSON document on standard output");

    sub = add("compare", "Parameters and metrics of several runs, only what differs", compare);
    addRunNames(sub, 2, kMany);
    addJson(sub, "One JSON document on standard output");

    sub = add("export", "Every point of every metric, as CSV or JSON", exportRun);
    addRunNames(sub, 1, 1);
    sub->add_option("--format", options->format, "csv (default) or json")->check(CLI::IsMember({"csv", "json"}));
    sub->add_option("-o,--output", options->output, "The file to write (default: standard output)");

    sub = add("watch", "Follow a run until it ends", watch);
    addRunNames(sub, 1, 1);
    addJson(sub, "Its events as JSON lines on standard output");

    sub = add("stop", "Stop runs at their next step, with a checkpoint", stop);
    addRunNames(sub, 1, kMany);

    sub = add("delete", "Delete runs with their folders, for good", remove);
    addRunNames(sub, 1, kMany);
}

} // namespace millrace::cli
