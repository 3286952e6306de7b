// What training will need in memory, known before it runs.
#pragma once

#include "engine/pipeline/check.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace millrace::plan {

/// Bytes of one training node at its batch size.
struct TrainingMemory
{
    std::uint64_t weights = 0; ///< parameters and states
    std::uint64_t gradients = 0;
    std::uint64_t optimizer = 0;
    std::uint64_t activations = 0; ///< the step's work arena
    std::uint64_t rows = 0;        ///< training and validation rows in memory
    std::uint64_t total() const { return weights + gradients + optimizer + activations + rows; }
};

/// Per training node whose model and rows are known; nodes with problems are left out (`report` names those).
std::map<std::string, TrainingMemory> trainingMemory(const pipeline::Document& document,
                                                     const pipeline::Catalogue& catalogue,
                                                     const pipeline::CheckReport& report);

nlohmann::json toJson(const TrainingMemory& memory);

} // namespace millrace::plan
