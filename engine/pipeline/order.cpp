#include "engine/pipeline/order.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <queue>
#include <unordered_map>

namespace millrace::pipeline {

namespace {
constexpr std::size_t kMaximumCycles = 20; // enough to report; each costs a walk over the graph

struct Edge
{
    std::size_t from, to, link;
};

std::vector<Edge> edgesOf(const Document& document, const std::vector<bool>* counted)
{
    std::unordered_map<std::string_view, std::size_t> indices;
    for (std::size_t i = 0; i < document.nodes.size(); ++i) indices.emplace(document.nodes[i].id, i);
    std::vector<Edge> edges;
    for (std::size_t i = 0; i < document.links.size(); ++i) {
        const auto from = indices.find(document.links[i].from.node);
        const auto to = indices.find(document.links[i].to.node);
        if (counted && !(*counted)[i]) continue;
        if (from != indices.end() && to != indices.end()) edges.push_back({from->second, to->second, i});
    }
    return edges;
}

// Kahn's algorithm, the ready node earliest in the file first. Nodes of a cycle and behind one are left out.
std::vector<std::size_t> ready(std::size_t nodes, const std::vector<Edge>& edges)
{
    std::vector<std::size_t> missing(nodes, 0);
    std::vector<std::vector<std::size_t>> feeds(nodes);
    for (const Edge& edge : edges) {
        ++missing[edge.to];
        feeds[edge.from].push_back(edge.to);
    }
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> queue;
    for (std::size_t i = 0; i < nodes; ++i)
        if (missing[i] == 0) queue.push(i);
    std::vector<std::size_t> order;
    while (!queue.empty()) {
        const std::size_t node = queue.top();
        queue.pop();
        order.push_back(node);
        for (const std::size_t next : feeds[node])
            if (--missing[next] == 0) queue.push(next);
    }
    return order;
}

// A cycle among the nodes that have no place in the order: each of them is fed by another such, so walking back
// repeats.
std::optional<Cycle> findCycle(std::size_t nodes, const std::vector<Edge>& edges, const std::vector<std::size_t>& order)
{
    std::vector<bool> placed(nodes, false);
    for (const std::size_t node : order) placed[node] = true;
    std::vector<std::optional<Edge>> feeder(nodes);
    for (const Edge& edge : edges)
        if (!placed[edge.from] && !placed[edge.to]) feeder[edge.to] = edge;
    const auto start = std::find(placed.begin(), placed.end(), false);
    if (start == placed.end()) return std::nullopt;

    std::size_t node = static_cast<std::size_t>(start - placed.begin());
    for (std::size_t i = 0; i < nodes; ++i) node = feeder[node]->from; // now certainly inside the cycle
    Cycle cycle;
    const std::size_t first = node;
    do {
        cycle.nodes.push_back(node);
        cycle.link = std::max(cycle.link, feeder[node]->link);
        node = feeder[node]->from;
    } while (node != first);
    std::reverse(cycle.nodes.begin(), cycle.nodes.end());
    std::rotate(cycle.nodes.begin(), std::min_element(cycle.nodes.begin(), cycle.nodes.end()), cycle.nodes.end());
    return cycle;
}
} // namespace

Order orderOf(const Document& document, const std::vector<bool>* counted)
{
    const std::size_t count = document.nodes.size();
    std::vector<Edge> edges = edgesOf(document, counted);
    Order order;
    for (;;) {
        order.nodes = ready(count, edges);
        if (order.nodes.size() == count || order.cycles.size() == kMaximumCycles) return order;
        const auto cycle = findCycle(count, edges, order.nodes);
        if (!cycle) return order;
        std::erase_if(edges, [&](const Edge& edge) { return edge.link == cycle->link; });
        order.cycles.push_back(*cycle);
    }
}

std::string describe(const Cycle& cycle, const Document& document)
{
    std::string text;
    for (const std::size_t node : cycle.nodes) text += document.nodes[node].id + " → ";
    return text + document.nodes[cycle.nodes.front()].id;
}

Result<std::vector<std::string>> executionOrder(const Document& document)
{
    const Order order = orderOf(document);
    if (!order.cycles.empty())
        return makeError(Code::InvalidArgument,
                         str("These nodes wait for each other: ", describe(order.cycles.front(), document), "."))
            .advise("Remove one of the links between them.");
    std::vector<std::string> ids;
    for (const std::size_t node : order.nodes) ids.push_back(document.nodes[node].id);
    return ids;
}

} // namespace millrace::pipeline
