// Two disjoint parts of the rows, chosen by a seed.
#pragma once

#include "engine/data/dataset.h"
#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/document.h"

#include <stop_token>

namespace millrace::data {

struct SplitOptions
{
    double train = 0.8; ///< fraction of the rows in the first part
    std::uint64_t seed = 0;
    bool stratify = true; ///< keep each class's share (only where the target is classes)
};

struct SplitRows
{
    Dataset train, test;
};

/// The options of a data.split node.
SplitOptions splitOptions(const pipeline::Node& node, const pipeline::NodeSpec& spec);

/// Exactly pipeline::trainRows(rows, options.train) rows for training and the rest for test. Stratified, each class is
/// divided in proportion and what rounding leaves goes to the classes with the largest remainders. A pure function of
/// the rows' labels and the options; both parts keep the rows' order. Rows on disk stay there.
/// Errors: InvalidArgument, and those of reading.
Result<SplitRows> split(const Dataset& rows, const SplitOptions& options, std::stop_token stop = {});

} // namespace millrace::data
