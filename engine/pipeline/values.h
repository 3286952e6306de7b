// The values of a node's parameters, for code that builds something from them.
#pragma once

#include "engine/pipeline/catalogue.h"

namespace millrace::pipeline {

/// Each value is the node's own; where that is not allowed or not given, the default. The parameter must be of the
/// type that is asked for.
class Values
{
public:
    Values(const Node& node, const NodeSpec& spec) : m_node(node), m_spec(spec) {}
    std::int64_t whole(std::string_view id) const;
    double number(std::string_view id) const;
    bool flag(std::string_view id) const;
    std::string text(std::string_view id) const;
    std::vector<std::int64_t> list(std::string_view id) const;

private:
    const Node& m_node;
    const NodeSpec& m_spec;
};

} // namespace millrace::pipeline
