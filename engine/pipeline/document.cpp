#include "engine/pipeline/document.h"

#include "engine/pipeline/json_reader.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

namespace millrace::pipeline {

namespace {
constexpr std::string_view kFormatName = "millrace/";
constexpr long long kFormatVersion = 1;
constexpr std::size_t kIdLength = 64;
constexpr double kCanvasSize = 1e6; // positions beyond it are of no canvas

// An error and the path of the value that it is about, until the text is at hand again to tell line and column.
struct PathError
{
    Error error;
    std::string path;
};

PathError invalid(std::string path, std::string message)
{
    return {makeError(Code::InvalidFormat, std::move(message)), std::move(path)};
}

bool isIdCharacter(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
           c == '.';
}

bool isId(std::string_view text)
{
    return !text.empty() && text.size() <= kIdLength && std::all_of(text.begin(), text.end(), isIdCharacter) &&
           !text.starts_with('.') && !text.ends_with('.') && text.find("..") == std::string_view::npos;
}

// A value as a message shows it.
std::string shown(const Json& value)
{
    return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80));
}

// Turns Json into a Document. `m_error` is set by the first thing that is wrong.
class Reader
{
public:
    const std::optional<PathError>& error() const { return m_error; }

    void readGraph(const Json& graph, Document& document)
    {
        if (const auto nodes = graph.find("nodes"); nodes != graph.end()) readNodes(*nodes, document);
        if (const auto links = graph.find("links"); links != graph.end()) readLinks(*links, document);
    }

private:
    void fail(std::string path, std::string message)
    {
        if (!m_error) m_error = invalid(std::move(path), std::move(message));
    }

    void readNodes(const Json& nodes, Document& document)
    {
        if (!nodes.is_array()) return fail("nodes", "\"nodes\" must be a list of nodes.");
        if (nodes.size() > Limits::kNodes) {
            if (!m_error)
                m_error = PathError{
                    makeError(Code::TooLarge, str("There are ", formatCount(static_cast<std::int64_t>(nodes.size())),
                                                  " nodes; at most ", formatCount(Limits::kNodes), " are read.")),
                    "nodes"};
            return;
        }
        std::set<std::string> ids;
        document.nodes.reserve(nodes.size());
        for (std::size_t i = 0; i < nodes.size() && !m_error; ++i) {
            const std::string path = str("nodes/", i);
            Node node = readNode(nodes[i], path);
            if (!ids.insert(node.id).second)
                fail(path + "/id",
                     str("The id \"", printable(node.id), "\" is taken by an earlier node; ids are unique."));
            if (!m_error) document.nodes.push_back(std::move(node));
        }
    }

    Node readNode(const Json& json, const std::string& path)
    {
        Node node;
        if (!json.is_object()) {
            fail(path, "A node must be an object with \"id\" and \"type\".");
            return node;
        }
        for (const auto& [key, value] : json.items()) {
            const std::string at = str(path, "/", key);
            if (key == "id")
                readId(value, at, node);
            else if (key == "type")
                readType(value, at, node);
            else if (key == "at")
                readPosition(value, at, node);
            else if (key == "params")
                readParams(value, at, node);
            else
                node.extra[key] = value;
        }
        if (!json.contains("id")) fail(path, "A node has no \"id\".");
        if (!json.contains("type")) fail(path, str("The node \"", printable(node.id), "\" has no \"type\"."));
        return node;
    }

    void readId(const Json& value, const std::string& path, Node& node)
    {
        if (value.is_string()) node.id = value.get<std::string>();
        if (!isId(node.id))
            fail(path, str("The id ", shown(value), " is not allowed; an id is 1 to ", kIdLength,
                           " letters (a-z), digits, '_' and '-', with dots between them."));
    }

    void readType(const Json& value, const std::string& path, Node& node)
    {
        if (value.is_string()) node.type = value.get<std::string>();
        if (node.type.empty()) fail(path, str("The type ", shown(value), " is not a name such as \"data.csv\"."));
    }

    void readPosition(const Json& value, const std::string& path, Node& node)
    {
        const auto isCoordinate = [](const Json& number) {
            return number.is_number() && std::abs(number.get<double>()) <= kCanvasSize;
        };
        if (!value.is_array() || value.size() != 2 || !isCoordinate(value[0]) || !isCoordinate(value[1]))
            return fail(path,
                        str("The position ", shown(value), " is not two numbers [x, y] from -1,000,000 to 1,000,000."));
        node.x = value[0].get<double>();
        node.y = value[1].get<double>();
    }

    void readParams(const Json& value, const std::string& path, Node& node)
    {
        if (!value.is_object()) return fail(path, str("\"params\" is ", shown(value), "; an object was expected."));
        node.params = value;
    }

    void readLinks(const Json& links, Document& document)
    {
        if (!links.is_array()) return fail("links", "\"links\" must be a list of links.");
        document.links.reserve(links.size());
        for (std::size_t i = 0; i < links.size() && !m_error; ++i) {
            const Json& link = links[i];
            const std::string path = str("links/", i);
            if (!link.is_array() || link.size() != 2)
                return fail(path, str("The link ", shown(link),
                                      " is not a pair of ends such as [\"split.train\", \"fit.train\"]."));
            Link ends{readEndpoint(link[0], path + "/0"), readEndpoint(link[1], path + "/1")};
            if (!m_error) document.links.push_back(std::move(ends));
        }
    }

    Endpoint readEndpoint(const Json& value, const std::string& path)
    {
        Endpoint endpoint;
        if (value.is_string()) {
            const auto text = value.get<std::string>();
            const auto dot = text.rfind('.'); // a node's id may have dots, a port's has none
            endpoint.node = text.substr(0, dot);
            if (dot != std::string::npos) endpoint.port = text.substr(dot + 1);
        }
        if (!isId(endpoint.node) || !isId(endpoint.port))
            fail(path, str("The end of a link is ", shown(value),
                           "; a node and its port such as \"split.train\" were expected."));
        return endpoint;
    }

    std::optional<PathError> m_error;
};

std::optional<PathError> readHeader(const Json& json, Document& document)
{
    if (!json.is_object()) return invalid({}, "A pipeline file is one JSON object.");
    const auto format = json.find("format");
    if (format == json.end()) return invalid({}, "This is not a Millrace pipeline: the key \"format\" is missing.");
    if (format->is_string()) document.format = format->get<std::string>();
    const std::string_view text = document.format;
    const long long version =
        text.starts_with(kFormatName) ? parseInteger(text.substr(kFormatName.size())).value_or(0) : 0;
    if (!format->is_string() || version < 1)
        return invalid("format", str("The format is ", shown(*format), "; \"millrace/1\" was expected."));
    document.readOnly = version > kFormatVersion;

    if (const auto name = json.find("name"); name != json.end()) {
        if (name->is_string())
            document.name = name->get<std::string>();
        else if (!document.readOnly)
            return invalid("name", str("The name is ", shown(*name), "; a text was expected."));
    }
    return std::nullopt;
}

void keepUnknownKeys(const Json& json, std::initializer_list<std::string_view> known, Document& document)
{
    for (const auto& [key, value] : json.items())
        if (std::find(known.begin(), known.end(), key) == known.end()) document.extra[key] = value;
}
} // namespace

const Node* Document::find(std::string_view id) const
{
    const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const Node& node) { return node.id == id; });
    return found == nodes.end() ? nullptr : &*found;
}

Node* Document::find(std::string_view id)
{
    return const_cast<Node*>(std::as_const(*this).find(id));
}

const Link* Document::linkInto(std::string_view node, std::string_view port) const
{
    const auto found = std::find_if(links.begin(), links.end(),
                                    [&](const Link& link) { return link.to.node == node && link.to.port == port; });
    return found == links.end() ? nullptr : &*found;
}

Result<Document> parseDocument(std::string_view text, const std::string& fileName)
{
    constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
    const std::string_view body = text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
    MR_TRY(const Json json, readJson(body, fileName));

    Document document;
    if (const auto error = readHeader(json, document)) return errorAtPath(error->error, fileName, body, error->path);
    Reader reader;
    reader.readGraph(json, document);
    if (document.readOnly) { // shown as far as it is understood, written back as it came
        document.originalText = text;
        return document;
    }
    if (reader.error()) return errorAtPath(reader.error()->error, fileName, body, reader.error()->path);
    keepUnknownKeys(json, {"format", "name", "nodes", "links"}, document);
    return document;
}

Result<Document> layersFromJson(const Json& layers)
{
    if (!layers.is_object())
        return makeError(Code::InvalidFormat, str("The layers are ", shown(layers),
                                                  "; an object with \"nodes\" and \"links\" was expected."));
    Document document;
    Reader reader;
    reader.readGraph(layers, document);
    if (reader.error()) {
        Error error = reader.error()->error;
        error.message = str("In the layers, at ", reader.error()->path, ": ", error.message);
        return error;
    }
    keepUnknownKeys(layers, {"nodes", "links"}, document);
    return document;
}

} // namespace millrace::pipeline
