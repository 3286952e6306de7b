#include "ui/document/change.h"

#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::ui {

namespace {

std::optional<std::size_t> indexOf(const pipeline::Document& graph, const std::string& id)
{
    const auto found =
        std::find_if(graph.nodes.begin(), graph.nodes.end(), [&](const pipeline::Node& node) { return node.id == id; });
    if (found == graph.nodes.end()) return std::nullopt;
    return static_cast<std::size_t>(found - graph.nodes.begin());
}

template <class T> auto at(std::vector<T>& items, std::size_t index)
{
    return items.begin() + static_cast<std::ptrdiff_t>(std::min(index, items.size()));
}

Change editOf(const pipeline::Document& graph, std::size_t index, pipeline::Node after)
{
    Change change;
    if (!(graph.nodes[index] == after)) change.edits.push_back({index, graph.nodes[index], std::move(after)});
    return change;
}

bool sameButPosition(const Change::Edit& edit)
{
    return edit.before.id == edit.after.id && edit.before.type == edit.after.type &&
           edit.before.params == edit.after.params && edit.before.extra == edit.after.extra;
}

} // namespace

bool Change::empty() const
{
    return removedNodes.empty() && addedNodes.empty() && removedLinks.empty() && addedLinks.empty() && edits.empty() &&
           !name;
}

bool Change::onlyMoves() const
{
    return removedNodes.empty() && addedNodes.empty() && removedLinks.empty() && addedLinks.empty() && !name &&
           std::all_of(edits.begin(), edits.end(), sameButPosition);
}

Change Change::reversed() const
{
    Change back = *this;
    std::swap(back.removedNodes, back.addedNodes);
    std::swap(back.removedLinks, back.addedLinks);
    for (Edit& edit : back.edits) std::swap(edit.before, edit.after);
    if (back.name) std::swap(back.name->first, back.name->second);
    return back;
}

void apply(pipeline::Document& graph, const Change& change)
{
    for (auto it = change.removedLinks.rbegin(); it != change.removedLinks.rend(); ++it)
        graph.links.erase(at(graph.links, it->index));
    for (auto it = change.removedNodes.rbegin(); it != change.removedNodes.rend(); ++it)
        graph.nodes.erase(at(graph.nodes, it->index));
    for (const Change::Edit& edit : change.edits) graph.nodes[edit.index] = edit.after;
    for (const Change::NodeAt& added : change.addedNodes) graph.nodes.insert(at(graph.nodes, added.index), added.node);
    for (const Change::LinkAt& added : change.addedLinks) graph.links.insert(at(graph.links, added.index), added.link);
    if (change.name) graph.name = change.name->second;
}

std::string freeId(const pipeline::Document& graph, const std::string& wish, const std::set<std::string>& taken)
{
    const auto isFree = [&](const std::string& id) { return !graph.find(id) && !taken.contains(id); };
    if (isFree(wish)) return wish;
    // a copy of "split_2" is "split_3", not "split_2_2"
    std::string stem = wish;
    if (const auto line = wish.rfind('_'); line != std::string::npos && line > 0 && parseInteger(wish.substr(line + 1)))
        stem = wish.substr(0, line);
    for (int number = 2;; ++number)
        if (std::string id = str(stem, "_", number); isFree(id)) return id;
}

Change addition(const pipeline::Document& graph, std::vector<pipeline::Node> nodes, std::vector<pipeline::Link> links)
{
    Change change;
    for (pipeline::Node& node : nodes)
        change.addedNodes.push_back({graph.nodes.size() + change.addedNodes.size(), std::move(node)});
    for (pipeline::Link& link : links)
        change.addedLinks.push_back({graph.links.size() + change.addedLinks.size(), std::move(link)});
    return change;
}

Change removal(const pipeline::Document& graph, const std::set<std::string>& nodes,
               const std::vector<pipeline::Link>& links)
{
    Change change;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i)
        if (nodes.contains(graph.nodes[i].id)) change.removedNodes.push_back({i, graph.nodes[i]});
    for (std::size_t i = 0; i < graph.links.size(); ++i) {
        const pipeline::Link& link = graph.links[i];
        if (nodes.contains(link.from.node) || nodes.contains(link.to.node) ||
            std::find(links.begin(), links.end(), link) != links.end())
            change.removedLinks.push_back({i, link});
    }
    return change;
}

Change movement(const pipeline::Document& graph, const std::map<std::string, QPointF>& positions)
{
    Change change;
    for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
        const auto found = positions.find(graph.nodes[i].id);
        if (found == positions.end()) continue;
        pipeline::Node after = graph.nodes[i];
        after.x = found->second.x();
        after.y = found->second.y();
        if (!(after == graph.nodes[i])) change.edits.push_back({i, graph.nodes[i], std::move(after)});
    }
    return change;
}

Change linking(const pipeline::Document& graph, const pipeline::Link& link,
               const std::optional<pipeline::Link>& instead)
{
    Change change = instead ? removal(graph, {}, {*instead}) : Change{};
    change.addedLinks.push_back({graph.links.size() - change.removedLinks.size(), link});
    return change;
}

Change setting(const pipeline::Document& graph, const std::string& node, const std::string& parameter,
               const std::optional<pipeline::Json>& value)
{
    const auto index = indexOf(graph, node);
    if (!index) return {};
    pipeline::Node after = graph.nodes[*index];
    if (value)
        after.params[parameter] = *value;
    else
        after.params.erase(parameter);
    return editOf(graph, *index, std::move(after));
}

Change renaming(const pipeline::Document& graph, const std::string& node, const std::string& id)
{
    const auto index = indexOf(graph, node);
    if (!index || node == id) return {};
    pipeline::Node after = graph.nodes[*index];
    after.id = id;
    Change change = editOf(graph, *index, std::move(after));
    for (std::size_t i = 0; i < graph.links.size(); ++i) {
        pipeline::Link link = graph.links[i];
        if (link.from.node != node && link.to.node != node) continue;
        change.removedLinks.push_back({i, link});
        if (link.from.node == node) link.from.node = id;
        if (link.to.node == node) link.to.node = id;
        change.addedLinks.push_back({i, link});
    }
    return change;
}

Change replacement(const pipeline::Document& graph, const std::string& node, const std::string& type,
                   pipeline::Json params)
{
    const auto index = indexOf(graph, node);
    if (!index) return {};
    pipeline::Node after = graph.nodes[*index];
    after.type = type;
    after.params = std::move(params);
    return editOf(graph, *index, std::move(after));
}

} // namespace millrace::ui
