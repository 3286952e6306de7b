// millrace bench: the engine's standard workloads on this machine, beside what the machine can do at most.
#include "app/cli/ask_runner.h"
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
    std::vector<std::string> workloads;
    std::string device = "cpu", precision;
    double seconds = 5;
    int threads = 0;
    std::int64_t batch = 0;
    bool operations = false, json = false;
};

/// Each workload in a runner of its own, so that its peak memory is its own.
Result<nlohmann::json> ask(const Options& options, const std::string& workload)
{
    MR_TRY(const auto answer, askRunner({{"bench",
                                          {{"workload", workload},
                                           {"device", options.device},
                                           {"precision", options.precision},
                                           {"batch", options.batch},
                                           {"seconds", options.seconds},
                                           {"threads", options.threads},
                                           {"operations", options.operations}}}}));
    return answer.at("bench");
}

void printOperations(const nlohmann::json& result, const nlohmann::json& machine)
{
    Table table({"  operation", "ms", "GFLOP/s", "of peak", "GB/s", "of peak"}, {false, true, true, true, true, true});
    for (const auto& operation : result.at("operations")) {
        const double gflops = operation.at("gflops"), bandwidth = operation.at("gigabytes_per_second");
        table.add({"  " + operation.at("kind").get<std::string>(),
                   significant(1e3 * operation.at("seconds").get<double>(), 3), significant(gflops, 3),
                   str(significant(100 * gflops / machine.at("gflops").get<double>(), 2), " %"),
                   significant(bandwidth, 3),
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
            str(significant(100 * gflops / machine.at("gflops").get<double>(), 2), " %"),
            formatBytes(result.at("memory_bytes").get<double>()),
            formatBytes(result.at("peak_bytes").get<double>())};
}

Result<int> execute(const Options& options)
{
    MR_TRY(const nlohmann::json machine, ask(options, "machine"));
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
    std::printf("%d threads · %s GFLOP/s f32 · %s GFLOP/s bf16 · %s GB/s\n\n", machine.at("threads").get<int>(),
                significant(machine.at("gflops"), 3).c_str(), significant(machine.at("gflops_bf16"), 3).c_str(),
                significant(machine.at("gigabytes_per_second"), 3).c_str());
    Table table({"workload", "ms a step", "rows/s", "GFLOP/s", "of peak", "memory", "peak of process"},
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
    options->workloads = {"digits_mlp", "mlp", "lenet", "resnet18", "gpt"};
    CLI::App* verb = command.add_subcommand("bench", "The engine's standard workloads on this machine");
    verb->add_option("workloads", options->workloads, "digits_mlp, mlp, lenet, resnet18, gpt (default: all)");
    verb->add_option("--seconds", options->seconds, "How long each is measured")->check(CLI::Range(0.1, 600.0));
    verb->add_option("--threads", options->threads, "How many threads (default: all)")->check(CLI::Range(0, 1024));
    verb->add_flag("--operations", options->operations, "Also the time of each kind of operation");
    verb->add_flag("--json", options->json, "One JSON document on standard output");
    verb->callback([options, &outcome] {
        const auto status = execute(*options);
        outcome.status = status ? *status : report(status.error(), options->json);
    });
}

} // namespace millrace::cli
