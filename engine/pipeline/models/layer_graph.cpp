#include "engine/pipeline/models/layer_graph.h"

#include "kernels/base/text.h"

namespace millrace::pipeline::models {

namespace {
constexpr double kColumnWidth = 260, kRowHeight = 140;
} // namespace

LayerGraph::LayerGraph()
{
    m_last = place("input", "layer.input", Json::object(), 0, 0);
    m_row = 1;
}

void LayerGraph::block(std::string name)
{
    m_block = std::move(name);
    m_column += m_aside ? 2 : 1;
    m_aside = false;
    m_row = 0;
    m_asideRow = 1;
}

std::string LayerGraph::add(std::string_view layer, std::string type, Json params)
{
    return addFrom({m_last}, layer, std::move(type), std::move(params));
}

std::string LayerGraph::addFrom(const std::vector<std::string>& from, std::string_view layer, std::string type,
                                Json params)
{
    const std::vector<std::string> sources = from; // may hold m_last itself
    m_last = place(layer, std::move(type), std::move(params), m_column, m_row);
    m_row += 1;
    link(sources, m_last);
    return m_last;
}

std::string LayerGraph::addAside(const std::string& from, std::string_view layer, std::string type, Json params)
{
    const std::string source = from;
    m_aside = true;
    const std::string id = place(layer, std::move(type), std::move(params), m_column + 1, m_asideRow);
    m_asideRow += 1;
    link({source}, id);
    return id;
}

Document LayerGraph::take()
{
    m_block.clear();
    add("output", "layer.output");
    return std::move(m_layers);
}

std::string LayerGraph::place(std::string_view layer, std::string type, Json params, double column, double row)
{
    Node node;
    node.id = m_block.empty() ? std::string(layer) : str(m_block, ".", layer);
    node.type = std::move(type);
    node.x = kColumnWidth * column;
    node.y = kRowHeight * row;
    node.params = std::move(params);
    m_layers.nodes.push_back(std::move(node));
    return m_layers.nodes.back().id;
}

void LayerGraph::link(const std::vector<std::string>& from, const std::string& to)
{
    if (from.size() == 1) return m_layers.links.push_back({{from[0], "out"}, {to, "in"}});
    for (std::size_t i = 0; i < from.size(); ++i)
        m_layers.links.push_back({{from[i], "out"}, {to, std::string(1, static_cast<char>('a' + i))}});
}

} // namespace millrace::pipeline::models
