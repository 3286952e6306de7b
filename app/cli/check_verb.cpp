// millrace check: what is wrong with a pipeline, and what is known about it before it runs.
#include "app/cli/pipeline_file.h"
#include "app/cli/terminal.h"
#include "app/cli/verb.h"
#include "engine/plan/memory.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace millrace::cli {

namespace {

struct Options
{
    std::string file;
    std::vector<std::string> settings;
    bool json = false;
};

void printFacts(const PipelineFile& file, const std::map<std::string, plan::TrainingMemory>& memory)
{
    Table nodes({"node", "type", "facts"});
    for (const pipeline::Node& node : file.document.nodes) {
        const auto facts = file.report.nodeFacts.find(node.id);
        nodes.add({node.id, node.type, facts == file.report.nodeFacts.end() ? "" : facts->second});
    }
    std::fputs(nodes.toString().c_str(), stdout);
    std::fputs("\n", stdout);
    Table links({"from", "to", "carries"});
    for (std::size_t i = 0; i < file.document.links.size(); ++i) {
        const pipeline::Link& link = file.document.links[i];
        links.add({str(link.from.node, ".", link.from.port), str(link.to.node, ".", link.to.port),
                   i < file.report.linkShapes.size() ? file.report.linkShapes[i] : ""});
    }
    std::fputs(links.toString().c_str(), stdout);
    for (const auto& [node, bytes] : memory)
        std::printf("\nmemory of %s: %s (weights %s, gradients %s, optimizer %s, activations %s, rows %s)\n",
                    node.c_str(), formatBytes(static_cast<double>(bytes.total())).c_str(),
                    formatBytes(static_cast<double>(bytes.weights)).c_str(),
                    formatBytes(static_cast<double>(bytes.gradients)).c_str(),
                    formatBytes(static_cast<double>(bytes.optimizer)).c_str(),
                    formatBytes(static_cast<double>(bytes.activations)).c_str(),
                    formatBytes(static_cast<double>(bytes.rows)).c_str());
}

Result<int> execute(const Options& options)
{
    const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    MR_TRY(const PipelineFile file, openPipeline(options.file, options.settings, catalogue));
    const auto memory = plan::trainingMemory(file.document, catalogue, file.report);
    if (options.json) {
        nlohmann::json json = pipeline::toJson(file.report);
        json["memory"] = nlohmann::json::object();
        for (const auto& [node, bytes] : memory) json["memory"][node] = plan::toJson(bytes);
        printJson(json);
    } else {
        printFacts(file, memory);
    }
    printProblems(file.report, options.file);
    if (file.report.ok()) std::fputs("No problems.\n", stderr);
    return file.report.ok() ? Done : Failed;
}

} // namespace

void addCheck(CLI::App& command, Outcome& outcome)
{
    const auto options = std::make_shared<Options>(); // lives as long as the command's parser
    CLI::App* verb = command.add_subcommand("check", "Shapes, types, memory and every problem, without running");
    verb->add_option("file", options->file, "The pipeline file (*.millrace)")->required();
    verb->add_option("--set", options->settings, "Set a parameter: node.param=value")->allow_extra_args(false);
    verb->add_flag("--json", options->json, "One JSON document on standard output");
    verb->callback([options, &outcome] {
        const auto status = execute(*options);
        outcome.status = status ? *status : report(status.error(), options->json);
    });
}

} // namespace millrace::cli
