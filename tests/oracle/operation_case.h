// A case of operations/*.txt: a graph with the values of its tensors, and what PyTorch makes of them. The format is
// described in README.md.
#pragma once

#include "engine/compile/program.h"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace millrace::oracle {

struct OperationCase
{
    std::string title, problem; ///< what of the case could not be read; empty where nothing
    graph::Graph graph;         ///< forward, with the port "output" and one for each input
    compile::Mode mode = compile::Mode::Training;
    std::optional<compile::Loss> loss; ///< nothing where only the output is compared
    compile::LossOptions options;
    std::map<std::string, std::vector<double>> tensors;  ///< parameters and states by name
    std::map<std::string, std::vector<double>> inputs;   ///< by port
    std::map<std::string, std::vector<double>> expected; ///< by port, or "state <name>"
};

std::vector<OperationCase> readOperationCases(const std::string& path);

} // namespace millrace::oracle
