// Fewer rows: a random part, each class in proportion, or as many rows of every class.
#pragma once

#include "engine/data/dataset.h"

#include <optional>
#include <stop_token>
#include <string_view>

namespace millrace::data {

enum class SampleMethod
{
    Random,
    Stratified, ///< keeps each class's share; random where the target is no class
    Balanced    ///< as many rows of each class: the fraction of the smallest one
};
std::optional<SampleMethod> sampleMethod(std::string_view name);

/// round(fraction × rows) rows, at least one, in their order; exactly, and a pure function of labels and seed.
/// Errors: InvalidArgument (a fraction outside 0 … 1, no classes to balance), and those of reading.
Result<Dataset> sample(const Dataset& rows, double fraction, SampleMethod method, std::uint64_t seed,
                       std::stop_token stop = {});

} // namespace millrace::data
