// millrace run: launches a pipeline on this computer and follows it to its end.
#include "app/cli/follow.h"
#include "app/cli/pipeline_file.h"
#include "app/cli/terminal.h"
#include "app/cli/verb.h"
#include "cluster/local_target.h"
#include "engine/protocol/device_choice.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <sched.h>

namespace millrace::cli {

namespace {

struct Options
{
    std::string file, resume, device, experiment;
    std::vector<std::string> settings;
    int threads = 0;
    bool json = false, noCache = false, fitMemory = false;
};

// What this process may use, which `taskset` and containers make fewer than what there is.
int usableProcessors()
{
    cpu_set_t set;
    CPU_ZERO(&set);
    return sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
}

Result<protocol::Job> makeJob(const Options& options, Record& record, std::string& pipelineName)
{
    const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    MR_TRY(const PipelineFile file, openPipeline(options.file, options.settings, catalogue));
    printProblems(file.report, options.file);
    if (!file.report.ok())
        return makeError(Code::InvalidArgument, "The pipeline has problems and was not started.").atFile(options.file);
    protocol::Job job;
    job.pipelineText = pipeline::toText(file.document);
    job.baseDirectory = file.folders.base;
    job.resourceDirectory = file.folders.resources;
    job.cacheDirectory = record.home.cache();
    if (!options.device.empty()) job.device = options.device;
    job.fitMemory = options.fitMemory;
    job.threads = options.threads > 0 ? options.threads : usableProcessors();
    job.useCache = !options.noCache;
    pipelineName = file.document.name;
    return job;
}

struct Started
{
    std::string run;
    std::int64_t afterSeq = -1; ///< the last event from before a resume
};

Result<Started> start(const Options& options, Record& record, cluster::LocalTarget& target)
{
    if (!options.device.empty()) MR_CHECK(protocol::DeviceChoice::create(options.device));
    if (!options.resume.empty()) {
        MR_TRY(const storage::Run run, record.database->run(options.resume));
        if (run.state == protocol::RunState::Finished)
            return makeError(Code::InvalidArgument,
                             str("Run ", run.name, " has finished; there is nothing to resume."));
        record.follower->follow(run.id);
        MR_TRY(const cluster::LaunchedRun launched, target.resume(run.id, options.device));
        return Started{launched.job.run, run.lastSeq};
    }
    std::string pipelineName;
    MR_TRY(const protocol::Job job, makeJob(options, record, pipelineName));
    MR_TRY(const cluster::LaunchedRun launched, target.launch(job));
    MR_CHECK(record.database->createRun(storage::describe(launched.job, launched.folder.path)));
    if (!options.experiment.empty()) MR_CHECK(record.database->setExperiment(launched.job.run, options.experiment));
    return Started{launched.job.run};
}

void printResult(const nlohmann::json& result)
{
    std::string line = str(result.value("name", ""), " ", result.value("state", ""), " in ",
                           formatDuration(result.value("seconds", 0.0)));
    for (const auto& [name, value] : result.at("metrics").items())
        if (name.starts_with("test.") && value.is_number())
            line += str(" · ", name.substr(5), " ", significant(value.get<double>(), 4));
    std::printf("%s\nrecord: %s\n", printable(line).c_str(), result.value("folder", "").c_str());
}

Result<int> execute(const Options& options)
{
    MR_TRY(Record record, Record::open());
    cluster::LocalTarget target(record.home);
    MR_TRY(const Started started, start(options, record, target));
    const std::string& run = started.run;
    ProgressLines lines;
    MR_CHECK(follow(
        record, run, &target, [&](const protocol::Event& event) { lines.show(event); }, started.afterSeq));
    lines.finish();
    MR_TRY(const nlohmann::json result, resultOf(*record.database, run));
    if (const auto cause = result.find("cause"); cause != result.end())
        std::fprintf(stderr, "millrace: %s\n", printable(protocol::errorFromJson(*cause).toString()).c_str());
    if (options.json)
        printJson(result);
    else
        printResult(result);
    if (result.value("state", "") == "finished") return Done;
    std::fprintf(stderr, "Resume it with: millrace run --resume %s\n", run.c_str());
    return Failed;
}

} // namespace

void addRun(CLI::App& command, Outcome& outcome)
{
    const auto options = std::make_shared<Options>(); // lives as long as the command's parser
    CLI::App* verb = command.add_subcommand("run", "Run a pipeline on this computer and follow it to its end");
    auto* file = verb->add_option("file", options->file, "The pipeline file (*.millrace)");
    auto* resume = verb->add_option("--resume", options->resume, "Go on with this run from its last checkpoint");
    file->excludes(resume);
    verb->add_option("--set", options->settings, "Set a parameter: node.param=value (may be given several times)")
        ->excludes(resume)
        ->allow_extra_args(false);
    verb->add_option("--device", options->device,
                     "cpu (default), cuda, or cuda: and the index or UUID of a GPU; with --resume: another than before");
    verb->add_flag("--fit-memory", options->fitMemory,
                   "Divide batches further where the GPU's memory does not hold them")
        ->excludes(resume);
    verb->add_option("--threads", options->threads, "Processor threads (default: all that this process may use)")
        ->check(CLI::Range(1, 1024));
    verb->add_option("--experiment", options->experiment, "The group the run is listed under (default: the pipeline)");
    verb->add_flag("--no-cache", options->noCache, "Run every stage, also those whose result is cached");
    verb->add_flag("--json", options->json, "End with one JSON document on standard output");
    verb->callback([options, &outcome] {
        if (options->file.empty() && options->resume.empty()) throw CLI::RequiredError("FILE or --resume RUN");
        const auto status = execute(*options);
        outcome.status = status ? *status : report(status.error(), options->json);
    });
}

} // namespace millrace::cli
