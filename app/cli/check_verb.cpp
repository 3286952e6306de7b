// millrace check: what is wrong with a pipeline, and what is known about it before it runs.
#include "app/cli/pipeline_file.h"
#include "app/cli/terminal.h"
#include "app/cli/verb.h"
#include "engine/plan/memory.h"
#include "engine/protocol/device_choice.h"
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
    std::string device = "cpu";
    bool json = false;
};

std::string shown(std::uint64_t bytes)
{
    return formatBytes(static_cast<double>(bytes));
}

void printMemory(const std::string& node, const plan::TrainingMemory& memory)
{
    std::string parts;
    const auto add = [&](const char* name, std::uint64_t bytes) {
        if (bytes > 0) parts += str(parts.empty() ? "" : ", ", name, " ", shown(bytes));
    };
    add("weights", memory.weights);
    add("mirror", memory.mirror);
    add("gradients", memory.gradients);
    add("optimizer", memory.optimizer);
    add("averages", memory.averages);
    add("activations", memory.activations);
    add("measuring", memory.evaluation);
    const bool gpu = memory.machine == plan::Machine::Gpu;
    add("rows", gpu ? memory.staging : memory.rows);
    std::printf("\n%s of %s: %s (%s)\n", gpu ? "GPU memory" : "memory", node.c_str(), shown(memory.total()).c_str(),
                parts.c_str());
    if (memory.activations == memory.otherActivations) return;
    const std::uint64_t kept = memory.recomputes ? memory.otherActivations : memory.activations;
    const std::uint64_t again = memory.recomputes ? memory.activations : memory.otherActivations;
    const double ratio =
        memory.recomputes ? memory.stepFlops / memory.otherFlops : memory.otherFlops / memory.stepFlops;
    std::printf("  recompute blocks%s: activations %s instead of %s, for %s %% more arithmetic\n",
                memory.recomputes ? "" : " would give", shown(again).c_str(), shown(kept).c_str(),
                significant(100 * (ratio - 1), 2).c_str());
}

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
    for (const auto& [node, bytes] : memory) printMemory(node, bytes);
}

Result<int> execute(const Options& options)
{
    const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    MR_TRY(PipelineFile file, openPipeline(options.file, options.settings, catalogue));
    MR_TRY(const auto device, protocol::DeviceChoice::create(options.device));
    const auto memory = plan::trainingMemory(file.document, catalogue, file.report,
                                             device.gpu ? plan::Machine::Gpu : plan::Machine::Cpu);
    // what a GPU has free is asked when the run starts
    for (pipeline::Problem& problem : plan::memoryProblems(memory, device.gpu ? 0 : plan::freeMemoryBytes()))
        file.report.problems.push_back(std::move(problem));
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
    verb->add_option("--device", options->device, "cpu (default) or cuda: where training would need how much memory");
    verb->add_flag("--json", options->json, "One JSON document on standard output");
    verb->callback([options, &outcome] {
        const auto status = execute(*options);
        outcome.status = status ? *status : report(status.error(), options->json);
    });
}

} // namespace millrace::cli
