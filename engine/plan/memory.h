// What training will need in memory, on a processor or a GPU, known before it runs, and whether this machine has it.
#pragma once

#include "engine/pipeline/check.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace millrace::plan {

enum class Machine
{
    Cpu,
    Gpu ///< any: operations fused, activations stored in the node's precision
};

/// Bytes of one training node, by what they hold. The arenas are those that the executor allocates, to the byte; what
/// the kernels keep for themselves while they work is not counted.
struct TrainingMemory
{
    Machine machine = Machine::Cpu;
    std::uint64_t weights = 0;     ///< parameters and states
    std::uint64_t mirror = 0;      ///< of a GPU: the parameters once more, as bf16 or f16
    std::uint64_t gradients = 0;   ///< of each program, and their sum where gradients are accumulated
    std::uint64_t optimizer = 0;   ///< what it keeps between steps
    std::uint64_t averages = 0;    ///< the moving average of the weights, and on a CPU the best ones of early stopping
    std::uint64_t activations = 0; ///< the steps' work arenas: of a whole batch, and of the smaller one that is left
    std::uint64_t evaluation = 0;  ///< the work arenas of measuring
    std::uint64_t rows = 0;        ///< rows or tokens, in the host's memory
    std::uint64_t staging = 0;     ///< of a GPU: the batches on their way, in its memory
    /// In the memory of the processor or the GPU that trains: rows lie beside a GPU's, in the host's.
    std::uint64_t total() const
    {
        return weights + mirror + gradients + optimizer + averages + activations + evaluation + staging +
               (machine == Machine::Cpu ? rows : 0);
    }

    bool recomputes = false;              ///< blocks are computed again instead of kept
    std::uint64_t otherActivations = 0;   ///< the work arenas with the other choice
    double stepFlops = 0, otherFlops = 0; ///< of a step (of one part of it), and with the other choice
};

/// Per training node whose model and rows are known; nodes with problems are left out (`report` names those), and so
/// are those whose precision the machine does not have.
std::map<std::string, TrainingMemory> trainingMemory(const pipeline::Document& document,
                                                     const pipeline::Catalogue& catalogue,
                                                     const pipeline::CheckReport& report,
                                                     Machine machine = Machine::Cpu);

/// An error at each training node that needs more than is free, with what takes most of it and what to change.
std::vector<pipeline::Problem> memoryProblems(const std::map<std::string, TrainingMemory>& memory,
                                              std::uint64_t freeBytes);
/// What a program could allocate on this machine now; 0 where the system does not say.
std::uint64_t freeMemoryBytes();

nlohmann::json toJson(const TrainingMemory& memory);

} // namespace millrace::plan
