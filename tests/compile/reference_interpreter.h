// Carries a graph out in double, by the loops of kernels/reference, without a memory plan: what a transformation of
// graphs is held to.
#pragma once

#include "engine/compile/program.h"
#include "kernels/reference/reference.h"

#include <map>
#include <string>
#include <vector>

namespace millrace::compile {

class ReferenceInterpreter
{
public:
    /// Parameters, states and inputs of f32 are drawn at random by their names; integers are below `integers`.
    ReferenceInterpreter(const graph::Graph& graph, Mode mode, std::int64_t integers);

    /// Errors: as execute::prepare; Unsupported naming an operation that has no reference here.
    Status run();
    /// What the ports hold, and the states by their names.
    std::map<std::string, kernels::reference::Values> results() const;

private:
    graph::Graph m_graph;
    Mode m_mode;
    std::vector<kernels::reference::Values> m_values; ///< by tensor
};

} // namespace millrace::compile
