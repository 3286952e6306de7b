// millrace bench: the engine's standard workloads on this machine, beside what the machine can do at most.
#include "app/cli/ask_runner.h"
#include "app/cli/terminal.h"
#include "app/cli/verb.h"
#include "engine/protocol/home.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <CLI/CLI.hpp>
#include <cstdio>

namespace millrace::cli {

namespace {

struct Options
{
    std::vector<std::string> workloads;
    std::string device = "cpu", precision;
    double seconds = 5;
    int threads = 0;
    std::int64_t batch = 0;
    bool operations = false, noPeak = false, json = false;
};

/// Each workload in a runner of its own, so that its peak memory is its own.
Result<nlohmann::json> ask(const Options& options, const std::string& workload)
{
    MR_TRY(const auto home, protocol::Home::fromEnvironment());
    MR_TRY(const auto answer, askRunner({{"bench",
                                          {{"workload", workload},
                                           {"device", options.device},
                                           {"cache", home.cache()},
                                           {"precision", options.precision},
                                           {"batch", options.batch},
                                           {"seconds", options.seconds},
                                           {"threads", options.threads},
                                           {"operations", options.operations}}}}));
    return answer.at("bench");
}

/// What the machine computes at most, in GFLOP/s: on a GPU in bf16, which is what it is for.
double peak(const nlohmann::json& machine)
{
    return machine.contains("gflops") ? machine.at("gflops") : machine.at("gflops_bf16");
}

void printMachine(const nlohmann::json& machine)
{
    const auto figure = [&](const char* name) { return significant(machine.at(name), 3); };
    if (machine.contains("device"))
        std::printf("%s", printable(machine.at("device").get<std::string>()).c_str());
    else
        std::printf("%d threads · %s GFLOP/s f32", machine.at("threads").get<int>(), figure("gflops").c_str());
    std::printf(" · %s GFLOP/s bf16 · %s GB/s\n\n", figure("gflops_bf16").c_str(),
                figure("gigabytes_per_second").c_str());
}

void printOperations(const nlohmann::json& result, const nlohmann::json& machine)
{
    Table table({"  operation", "ms", "GFLOP/s", "of peak", "GB/s", "of peak"}, {false, true, true, true, true, true});
    for (const auto& operation : result.at("operations")) {
        const double gflops = operation.at("gflops"), bandwidth = operation.at("gigabytes_per_second");
        table.add({"  " + operation.at("kind").get<std::string>(),
                   significant(1e3 * operation.at("seconds").get<double>(), 3), significant(gflops, 3),
                   str(significant(100 * gflops / peak(machine), 2), " %"), significant(bandwidth, 3),
                   str(significant(100 * bandwidth / machine.at("gigabytes_per_second").get<double>(), 2), " %")});
    }
    std::fputs(table.toString().c_str(), stdout);
}

std::vector<std::string> row(const nlohmann::json& result, const nlohmann::json& machine)
{
    const double gflops = result.at("gflops");
    return {result.at("title").get<std::string>(),
            significant(1e3 * result.at("step_seconds").get<double>(), 3),
            formatCount(static_cast<std::int64_t>(result.at("rows_per_second").get<double>())),
            significant(gflops, 3),
            str(significant(100 * gflops / peak(machine), 2), " %"),
            formatBytes(result.at("memory_bytes").get<double>()),
            formatBytes(result.at(result.contains("device_bytes") ? "device_bytes" : "peak_bytes").get<double>())};
}

Result<int> execute(const Options& options)
{
    nlohmann::json machine;
    if (!options.noPeak) {
        MR_TRY(machine, ask(options, "machine"));
    }
    nlohmann::json results = nlohmann::json::array();
    for (const std::string& workload : options.workloads) {
        std::fprintf(stderr, "%s …\n", workload.c_str());
        MR_TRY(nlohmann::json result, ask(options, workload));
        results.push_back(std::move(result));
    }
    if (options.json) {
        printJson({{"machine", machine}, {"workloads", results}});
        return Done;
    }
    printMachine(machine);
    Table table({"workload", "ms a step", "rows/s", "GFLOP/s", "of peak", "memory", "peak"},
                {false, true, true, true, true, true, true});
    for (const auto& result : results) table.add(row(result, machine));
    std::fputs(table.toString().c_str(), stdout);
    for (const auto& result : results) {
        if (!options.operations) break;
        std::printf("\n%s\n", result.at("title").get<std::string>().c_str());
        printOperations(result, machine);
    }
    return Done;
}

} // namespace

void addBench(CLI::App& command, Outcome& outcome)
{
    const auto options = std::make_shared<Options>(); // lives as long as the command's parser
    CLI::App* verb = command.add_subcommand("bench", "The engine's standard workloads on this machine");
    verb->add_option("workloads", options->workloads,
                     "digits_mlp, mlp, lenet, resnet18, gpt (the default), resnet50, gpt2_124m, gpt2_generate; on a "
                     "GPU the default is "
                     "mlp, resnet18, resnet50, gpt2_124m and gpt2_generate");
    verb->add_option("--device", options->device, "cpu (default), cuda, or cuda: and the index or UUID of a GPU");
    verb->add_option("--precision", options->precision, "On a GPU: f32, tf32, bf16 or f16 (default: the workload's)")
        ->check(CLI::IsMember({"f32", "tf32", "bf16", "f16"}));
    verb->add_option("--batch", options->batch, "On a GPU: rows of a batch (default: the workload's)")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 20));
    verb->add_option("--seconds", options->seconds, "How long each is measured")->check(CLI::Range(0.1, 600.0));
    verb->add_option("--threads", options->threads, "How many threads (default: all)")->check(CLI::Range(0, 1024));
    verb->add_flag("--operations", options->operations, "Also the time of each kind of operation");
    auto* json = verb->add_flag("--json", options->json, "One JSON document on standard output");
    verb->add_flag("--no-peak", options->noPeak, "Do not measure what the machine can do at most")->needs(json);
    verb->callback([options, &outcome] {
        if (options->workloads.empty()) {
            options->workloads = {"digits_mlp", "mlp", "lenet", "resnet18", "gpt"};
            if (options->device != "cpu")
                options->workloads = {"mlp", "resnet18", "resnet50", "gpt2_124m", "gpt2_generate"};
        }
        const auto status = execute(*options);
        outcome.status = status ? *status : report(status.error(), options->json);
    });
}

} // namespace millrace::cli
