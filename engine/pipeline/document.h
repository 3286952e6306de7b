// The pipeline file as a value: nodes, links, parameters, and whatever this version does not understand.
#pragma once

#include "kernels/base/result.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::pipeline {

using Json = nlohmann::ordered_json; ///< keys keep the file's order

struct Node
{
    std::string id;   ///< unique in its document; letters, digits, '_' and '-', dots between them
    std::string type; ///< "data.csv"; may be unknown to this version
    double x = 0, y = 0;
    Json params = Json::object(); ///< only what the file says; defaults come from the catalogue
    Json extra = Json::object();  ///< keys of the node that this version does not know, kept on save
    bool operator==(const Node&) const = default;
};

struct Endpoint
{
    std::string node, port;
    bool operator==(const Endpoint&) const = default;
};

struct Link
{
    Endpoint from, to; ///< from an output to an input
    bool operator==(const Link&) const = default;
};

/// A pipeline, or the nested graph of layers of a `model.layers` node (its parameter `layers`: {"nodes": …, "links":
/// …}).
struct Document
{
    std::string format = "millrace/1";
    std::string name;
    std::vector<Node> nodes;
    std::vector<Link> links;
    Json extra = Json::object(); ///< unknown top-level keys
    /// A file of a newer format: opened read-only, `toText` gives its bytes back unchanged.
    bool readOnly = false;
    std::string originalText; ///< only where readOnly

    const Node* find(std::string_view id) const;
    Node* find(std::string_view id);
    /// The link that ends at the input, if there is one.
    const Link* linkInto(std::string_view node, std::string_view port) const;
    bool operator==(const Document&) const = default;
};

struct Limits
{
    static constexpr std::size_t kFileBytes = 32u << 20;
    static constexpr std::size_t kDepth = 64;
    static constexpr std::size_t kNodes = 10000;
};

/// Reads a pipeline file. Errors (with line and column): InvalidFormat, TooLarge (see Limits), duplicate keys or ids.
/// Dangling or ill-typed links are not errors here; `check` names them. A newer format is kept read-only.
Result<Document> parseDocument(std::string_view text, const std::string& fileName = {});
/// The canonical text: fixed key order, one node and one link per block, two spaces, a final newline.
/// parseDocument(toText(d)) == d, and toText(parseDocument(t)) == t for every t that toText wrote.
std::string toText(const Document& document);

/// The nested graph of layers as a document and back.
Result<Document> layersFromJson(const Json& layers);
Json layersToJson(const Document& layers);

/// Applies "node.param=value" (the value as JSON, else as text; checked against the catalogue by `check`).
/// Errors: InvalidArgument, NotFound with the nearest names.
Status applySetting(Document& document, std::string_view setting);

/// Nodes in an order in which every input is ready, ties by position in the file.
/// Errors: InvalidArgument naming a cycle's nodes.
Result<std::vector<std::string>> executionOrder(const Document& document);

} // namespace millrace::pipeline
