// The canonical text of a document: what is saved, and what a diff is read in.
#include "engine/pipeline/document.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>

namespace millrace::pipeline {

namespace {
std::string scalarText(const Json& value)
{
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

bool isGraph(const Json& value)
{
    if (!value.is_object()) return false;
    const auto nodes = value.find("nodes");
    return nodes != value.end() && nodes->is_array() && !nodes->empty() &&
           std::all_of(nodes->begin(), nodes->end(), [](const Json& node) { return node.is_object(); });
}

// Whether a graph is in the value, so that it takes more than one line.
bool holdsGraph(const Json& value)
{
    return value.is_structured() && (isGraph(value) || std::any_of(value.begin(), value.end(), holdsGraph));
}

// Writes values on one line, but for graphs: there each key, each node and each link has its own.
class Writer
{
public:
    void write(const Json& value, std::size_t indent)
    {
        if (!value.is_structured())
            m_text += scalarText(value);
        else if (!holdsGraph(value))
            value.is_array() ? writeArray(value, indent, false) : writeObject(value, indent, false);
        else if (value.is_array())
            writeArray(value, indent, true);
        else if (isGraph(value))
            writeGraph(value, indent);
        else
            writeObject(value, indent, true);
    }

    void writeGraph(const Json& graph, std::size_t indent)
    {
        m_text += "{";
        bool first = true;
        for (const auto& [key, value] : graph.items()) {
            separate(first, indent + 2, true);
            writeKey(key);
            if ((key == "nodes" || key == "links") && value.is_array() && !value.empty())
                writeArray(value, indent + 2, true);
            else
                write(value, indent + 2);
        }
        newLine(indent);
        m_text += "}";
    }

    std::string take() { return std::move(m_text); }

private:
    void newLine(std::size_t indent)
    {
        m_text += '\n';
        m_text.append(indent, ' ');
    }

    void separate(bool& first, std::size_t indent, bool lines)
    {
        if (!first) m_text += lines ? "," : ", ";
        if (lines) newLine(indent);
        first = false;
    }

    void writeKey(const std::string& key) { m_text += str(scalarText(key), ": "); }

    void writeArray(const Json& array, std::size_t indent, bool lines)
    {
        m_text += "[";
        bool first = true;
        for (const Json& value : array) {
            separate(first, indent + 2, lines);
            if (lines && value.is_object()) // a node stays on its line up to the graph that it holds
                writeObject(value, indent + 2, false);
            else
                write(value, lines ? indent + 2 : indent);
        }
        if (lines) newLine(indent);
        m_text += "]";
    }

    void writeObject(const Json& object, std::size_t indent, bool lines)
    {
        m_text += "{";
        bool first = true;
        for (const auto& [key, value] : object.items()) {
            separate(first, indent + 2, lines);
            writeKey(key);
            write(value, lines ? indent + 2 : indent);
        }
        if (lines) newLine(indent);
        m_text += "}";
    }

    std::string m_text;
};

// Whole where it can be; -0 reads back as 0, so it is written as that, and so is what JSON has no number for.
Json coordinate(double value)
{
    if (!std::isfinite(value)) return 0;
    if (std::trunc(value) == value && std::abs(value) < 1e15) return static_cast<std::int64_t>(value);
    return value;
}

Json nodeJson(const Node& node)
{
    Json json{{"id", node.id}, {"type", node.type}, {"at", Json::array({coordinate(node.x), coordinate(node.y)})}};
    if (!node.params.empty()) json["params"] = node.params;
    for (const auto& [key, value] : node.extra.items()) json[key] = value;
    return json;
}

void addGraph(const Document& document, Json& json)
{
    json["nodes"] = Json::array();
    for (const Node& node : document.nodes) json["nodes"].push_back(nodeJson(node));
    json["links"] = Json::array();
    for (const Link& link : document.links)
        json["links"].push_back(
            Json::array({str(link.from.node, ".", link.from.port), str(link.to.node, ".", link.to.port)}));
    for (const auto& [key, value] : document.extra.items()) json[key] = value;
}
} // namespace

std::string toText(const Document& document)
{
    if (document.readOnly) return document.originalText;
    Json json{{"format", document.format}, {"name", document.name}};
    addGraph(document, json);
    Writer writer;
    writer.writeGraph(json, 0);
    return writer.take() + "\n";
}

Json layersToJson(const Document& layers)
{
    Json json = Json::object();
    addGraph(layers, json);
    return json;
}

} // namespace millrace::pipeline
