// The order in which nodes run, and the cycles that have none.
#pragma once

#include "engine/pipeline/document.h"

#include <vector>

namespace millrace::pipeline {

struct Cycle
{
    std::vector<std::size_t> nodes; ///< indices in Document::nodes, each feeding the next and the last the first
    std::size_t link = 0;           ///< index of the latest link in the cycle: the one to take away first
};

struct Order
{
    std::vector<std::size_t> nodes; ///< indices in Document::nodes; every node, cycles cut at their link
    std::vector<Cycle> cycles;
};

/// Every node after those that feed it, ties by position in the file. Links to nodes that are not there do not count,
/// nor those that `counted`, by link, leaves out.
Order orderOf(const Document& document, const std::vector<bool>* counted = nullptr);

/// "conv1 → relu1 → conv1".
std::string describe(const Cycle& cycle, const Document& document);

} // namespace millrace::pipeline
