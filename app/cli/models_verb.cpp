// millrace models: the registered models and their versions.
#include "app/cli/terminal.h"
#include "app/cli/verb.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace millrace::cli {

namespace {

struct Options
{
    std::string name;
    bool json = false;
};

nlohmann::json toJson(const storage::ModelVersion& version)
{
    nlohmann::json json{{"model", version.model},     {"version", version.version},
                        {"sha256", version.sha256},   {"path", version.path},
                        {"run", version.run},         {"created", version.createdMs},
                        {"bytes", version.bytes},     {"aliases", version.aliases},
                        {"classes", version.classes}, {"metrics", nlohmann::json::object()}};
    for (const auto& [name, value] : version.metrics) json["metrics"][name] = protocol::metricValue(value);
    return json;
}

Result<int> list(const Options& options)
{
    MR_TRY(const Record record, Record::open());
    std::vector<storage::ModelVersion> versions;
    if (!options.name.empty()) {
        MR_TRY(versions, record.database->modelVersions(options.name));
    } else {
        MR_TRY(const auto models, record.database->models());
        for (const storage::Model& model : models) {
            MR_TRY(const auto some, record.database->modelVersions(model.name));
            versions.insert(versions.end(), some.begin(), some.end());
        }
    }
    if (options.json) {
        nlohmann::json all = nlohmann::json::array();
        for (const auto& version : versions) all.push_back(toJson(version));
        printJson(all);
        return Done;
    }
    if (versions.empty()) {
        std::fputs("No models. A pipeline with a Register node adds one when it runs.\n", stderr);
        return Done;
    }
    Table table({"model", "version", "aliases", "test accuracy", "size", "from run", "when"},
                {false, true, false, true, true, false, false});
    for (const auto& version : versions) {
        const auto accuracy = version.metrics.find("test.accuracy");
        table.add({version.model, str(version.version), joined(version.aliases, ", "),
                   accuracy == version.metrics.end() ? "" : significant(accuracy->second, 4),
                   formatBytes(static_cast<double>(version.bytes)), version.runName, ago(version.createdMs)});
    }
    std::fputs(table.toString().c_str(), stdout);
    return Done;
}

} // namespace

void addModels(CLI::App& command, Outcome& outcome)
{
    const auto options = std::make_shared<Options>(); // lives as long as the command's parser
    CLI::App* verb = command.add_subcommand("models", "Registered models");
    verb->require_subcommand(1);
    CLI::App* sub = verb->add_subcommand("list", "Versions, where each came from, and how good it is");
    sub->add_option("name", options->name, "Only the versions of this model");
    sub->add_flag("--json", options->json, "One JSON document on standard output");
    sub->callback([options, &outcome] {
        const auto status = list(*options);
        outcome.status = status ? *status : report(status.error(), options->json);
    });
}

} // namespace millrace::cli
