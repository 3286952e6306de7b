// Whether a GPU's memory will hold what a pipeline trains, known before anything of it runs.
#pragma once

#include "engine/pipeline/check.h"
#include "engine/pipeline/document.h"

#include <cstdint>
#include <string>
#include <vector>

namespace millrace::run {

/// Compares what each training node needs there with what is free. Where it is too much, and `fit` is set, the node's
/// gradient_accumulation is raised in the document until it fits: batches stay what they were (but batch norm sees
/// their parts). Returns what was changed, in sentences.
/// Errors   OutOfMemory at the first node that does not fit, with both numbers, what takes most, and the
///          gradient_accumulation that would fit, if there is one.
Result<std::vector<std::string>> fitIntoMemory(pipeline::Document& document, const pipeline::Catalogue& catalogue,
                                               const pipeline::CheckReport& report, std::uint64_t freeBytes, bool fit);

/// The next larger number of equal parts that a batch can be divided into, twice as many where that is possible; 0
/// where the parts are single rows already.
std::int64_t nextAccumulation(std::int64_t batch, std::int64_t accumulation);

} // namespace millrace::run
