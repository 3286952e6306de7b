#include "ui/document/clipboard.h"

#include "ui/document/change.h"
#include "ui/document/text.h"

#include <algorithm>
#include <map>

namespace millrace::ui {

QString copied(const pipeline::Document& graph, const std::set<std::string>& nodes)
{
    pipeline::Document part;
    for (const pipeline::Node& node : graph.nodes)
        if (nodes.contains(node.id)) part.nodes.push_back(node);
    for (const pipeline::Link& link : graph.links)
        if (nodes.contains(link.from.node) && nodes.contains(link.to.node)) part.links.push_back(link);
    return toQt(pipeline::toText(part));
}

Result<pipeline::Document> pasted(const pipeline::Document& graph, const QString& text, const QPointF& position)
{
    MR_TRY(pipeline::Document part, pipeline::parseDocument(text.toStdString(), "clipboard"));
    if (part.readOnly || part.nodes.empty())
        return makeError(Code::InvalidFormat, "The clipboard holds no nodes.").advise("Copy nodes on a canvas first.");
    double left = part.nodes[0].x, top = part.nodes[0].y;
    for (const pipeline::Node& node : part.nodes) {
        left = std::min(left, node.x);
        top = std::min(top, node.y);
    }
    std::map<std::string, std::string> ids;
    std::set<std::string> taken;
    for (pipeline::Node& node : part.nodes) {
        const std::string id = freeId(graph, node.id, taken);
        taken.insert(id);
        ids[node.id] = id;
        node.id = id;
        node.x += position.x() - left;
        node.y += position.y() - top;
    }
    std::erase_if(part.links, [&](const pipeline::Link& link) {
        return !ids.contains(link.from.node) || !ids.contains(link.to.node);
    });
    for (pipeline::Link& link : part.links) {
        link.from.node = ids[link.from.node];
        link.to.node = ids[link.to.node];
    }
    return part;
}

} // namespace millrace::ui
