// The engine's standard workloads: training of five networks from a small perceptron to a language model, on made-up
// rows, so that machines and versions can be compared. tests/benchmarks/cpu_training has the same five in PyTorch.
#pragma once

#include "kernels/base/result.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

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
};
std::span<const Workload> workloads();

struct WorkloadOptions
{
    double seconds = 5;      ///< of steps that are measured
    int threads = 0;         ///< 0: all
    bool operations = false; ///< also the time of each kind of operation
};

/// Trains the workload for so long, after a few steps that are not counted.
/// JSON      workload, title, threads, steps, step_seconds (median), rows_per_second (tokens for a language model),
///           flops (of a step: forward and backward), gflops (achieved), memory_bytes (arenas, optimiser), peak_bytes
///           (of this process); with `operations` also operations: [{kind, seconds, gflops, gigabytes_per_second}]
/// Errors    NotFound with the nearest names; Cancelled; OutOfMemory.
Result<nlohmann::json> runWorkload(std::string_view name, const WorkloadOptions& options, std::stop_token stop = {});

/// What the machine can do at most: {threads, gflops, gflops_bf16, gigabytes_per_second}, measured.
nlohmann::json measureMachine(int threads);

} // namespace millrace::run
