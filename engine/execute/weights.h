// What stands behind Weights: two flat buffers and where each tensor lies in them.
#pragma once

#include "engine/execute/aligned_buffer.h"
#include "engine/execute/executor.h"

namespace millrace::execute {

struct Weights::Content
{
    struct Entry
    {
        std::string name;
        Shape shape;
        bool decay = false;
        std::uint64_t offset = 0, sizeBytes = 0;
        bool operator==(const Entry&) const = default;
    };
    std::vector<Entry> parameterEntries, stateEntries;
    AlignedBuffer parameters, states;

    /// The tensors of a program in one of the two arenas, in the graph's order.
    static std::vector<Entry> entriesOf(const compile::Program& program, compile::Placement::Arena arena);
};

} // namespace millrace::execute
