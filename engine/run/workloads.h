// The engine's standard workloads: trainings from a small perceptron to a language model, on made-up rows, so that
// machines and versions can be compared. tests/benchmarks/cpu_training and tests/gpu have the same ones in PyTorch.
#pragma once

#include "engine/train/training_program.h"
#include "kernels/base/result.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::execute {
class Executor;
}

namespace millrace::run {

struct Workload
{
    std::string_view name, title;
    std::string_view model;        ///< node type
    std::string_view params;       ///< of that node, JSON
    std::vector<std::int64_t> row; ///< dimensions of a row; {context} for tokens
    std::int64_t batch;
    std::int64_t answers; ///< classes, or vocabulary
    bool language;
    std::string_view optimizer;
    std::string_view precision = "f32"; ///< on a GPU, where no other is asked for
    std::int64_t generates = 0;         ///< > 0: it writes so many tokens of text and trains nothing
};
std::span<const Workload> workloads();

struct WorkloadOptions
{
    double seconds = 5;         ///< of steps that are measured
    int threads = 0;            ///< 0: all
    bool operations = false;    ///< also the time of each kind of operation
    std::string device = "cpu"; ///< or cuda, cuda:INDEX, cuda:UUID
    std::string cacheFolder;    ///< where choices measured on a GPU are kept; empty: nowhere
    std::string precision;      ///< on a GPU; empty: the workload's
    std::int64_t batch = 0;     ///< 0: the workload's
};

/// Trains the workload for so long, after a few steps that are not counted. On a GPU: see gpu_workload.h.
/// JSON      workload, title, threads, steps, step_seconds (median), rows_per_second (tokens for a language model),
///           flops (of a step: forward and backward), gflops (achieved), memory_bytes (arenas, optimiser), peak_bytes
///           (of this process); with `operations` also operations: [{kind, seconds, gflops, gigabytes_per_second}]
/// Errors    NotFound with the nearest names; Cancelled; OutOfMemory; those of opening the GPU.
Result<nlohmann::json> runWorkload(std::string_view name, const WorkloadOptions& options, std::stop_token stop = {});

/// What the machine can do at most: {threads, gflops, gflops_bf16, gigabytes_per_second}, measured; of a GPU as
/// measureGpu. Errors: those of opening the GPU.
Result<nlohmann::json> measureMachine(const WorkloadOptions& options);

// What the workloads of the CPU and of GPUs share.

/// The layers of a workload and its loss. `catalogue` must live as long.
Result<train::TrainingModel> trainingModel(const Workload& workload, const pipeline::Catalogue& catalogue,
                                           std::int64_t batch);
/// The mean of several runs' times for each kind of operation, the slowest first.
nlohmann::json timeOperations(execute::Executor& executor);
/// The most memory that this process has used.
std::uint64_t processPeakBytes();
/// Since this process was started, to a hundredth.
double secondsOfProcess();

} // namespace millrace::run
