// What can be said of a graph, of nodes or of layers, without knowing what flows through it: types, parameters, links.
#pragma once

#include "engine/pipeline/check.h"
#include "engine/pipeline/order.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace millrace::pipeline {

enum class Level
{
    Pipeline,
    Layers
};

struct Structure
{
    std::vector<const NodeSpec*> specs; ///< by node; null where the type is unknown or does not belong here
    std::vector<bool> usable;           ///< by node: the type is known and no parameter is wrong
    std::vector<bool> linkValid;        ///< by link
    Order order;
    std::unordered_map<std::string, std::size_t> indices;  ///< nodes by id
    std::unordered_map<std::string, std::size_t> linkInto; ///< valid links by their end, "fit.train"
};

/// Finds every problem of structure. `prefix` stands before node ids in the problems ("net/" for layers of net).
Structure checkStructure(const Document& document, const Catalogue& catalogue, Level level, const std::string& prefix,
                         std::vector<Problem>& problems);

/// The parameter's value where it is allowed, else the default; null only where there is no default.
Json usableValue(const Node& node, const NodeSpec& spec, std::string_view id);

/// A problem of that node.
Problem errorAtNode(Error error, std::string node, std::string parameter = {}, std::string port = {});
Problem warningAtNode(Error error, std::string node, std::string parameter = {}, std::string port = {});

} // namespace millrace::pipeline
