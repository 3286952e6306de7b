// What training will need in memory, known before it runs, and whether this machine has it.
#pragma once

#include "engine/pipeline/check.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace millrace::plan {

/// Bytes of one training node, by what they hold. The arenas are those that the executor allocates, to the byte; what
/// the kernels keep for themselves while they work is not counted.
struct TrainingMemory
{
    std::uint64_t weights = 0;     ///< parameters and states
    std::uint64_t gradients = 0;   ///< of each program, and their sum where gradients are accumulated
    std::uint64_t optimizer = 0;   ///< what it keeps between steps
    std::uint64_t averages = 0;    ///< the moving average of the weights, and the best weights of early stopping
    std::uint64_t activations = 0; ///< the steps' work arenas: of a whole batch, and of the smaller one that is left
    std::uint64_t evaluation = 0;  ///< the work arenas of measuring
    std::uint64_t rows = 0;        ///< rows or tokens in memory, and the batches on their way
    std::uint64_t total() const { return weights + gradients + optimizer + averages + activations + evaluation + rows; }

    bool recomputes = false;              ///< blocks are computed again instead of kept
    std::uint64_t otherActivations = 0;   ///< the work arenas with the other choice
    double stepFlops = 0, otherFlops = 0; ///< of a step (of one part of it), and with the other choice
};

/// Per training node whose model and rows are known; nodes with problems are left out (`report` names those).
std::map<std::string, TrainingMemory> trainingMemory(const pipeline::Document& document,
                                                     const pipeline::Catalogue& catalogue,
                                                     const pipeline::CheckReport& report);

/// An error at each training node that needs more than is free, with what takes most of it and what to change.
std::vector<pipeline::Problem> memoryProblems(const std::map<std::string, TrainingMemory>& memory,
                                              std::uint64_t freeBytes);
/// What a program could allocate on this machine now; 0 where the system does not say.
std::uint64_t freeMemoryBytes();

nlohmann::json toJson(const TrainingMemory& memory);

} // namespace millrace::plan
