// What is wrong with a pipeline, and what is known about it before it runs: shapes on links, facts on nodes.
#pragma once

#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/document.h"
#include "engine/pipeline/schema.h"

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace millrace::pipeline {

enum class Severity
{
    Error,
    Warning
};

struct Problem
{
    Severity severity = Severity::Error;
    Error error;                     ///< subject.node (a layer as "net/conv1"), subject.parameter
    std::string port;                ///< the port it is about; may be empty
    std::optional<std::size_t> link; ///< index in Document::links
};

struct CheckReport
{
    std::vector<Problem> problems;
    std::map<std::string, std::string> nodeFacts; ///< node id → "1,797 rows · 10 classes"
    std::map<std::string, RowsSchema> rows;       ///< "node.port" → what flows there, for rows ports
    std::vector<std::string> linkShapes;          ///< per link: "8×8×1", "1,437", or empty
    bool ok() const;                              ///< no problem of severity Error
};

/// Tells what a data node's file holds without reading all of it; the engine's data module implements it.
/// Called with the node and its specification; paths are still relative to the pipeline file.
using InspectData = std::function<Result<RowsSchema>(const Node&, const NodeSpec&)>;

/// Structure, parameters, links, port types, cycles, shapes through every model. Never fails; says all it finds.
CheckReport check(const Document& document, const Catalogue& catalogue, const InspectData& inspect);

/// Checks whether a link may be drawn, for use while dragging. Errors: InvalidArgument with the reason.
Status canLink(const Document& document, const Catalogue& catalogue, const Endpoint& from, const Endpoint& to);

/// Checks a nested graph of layers for rows of that schema. Facts: per layer "5×5, 32 channels · 832 parameters".
CheckReport checkLayers(const Document& layers, const Catalogue& catalogue, const RowsSchema& schema);

nlohmann::json toJson(const CheckReport& report);

} // namespace millrace::pipeline
