// One change of a graph, the way there and the way back: what an undo command holds and what the canvas hears.
#pragma once

#include "engine/pipeline/document.h"

#include <QMetaType>
#include <QPointF>
#include <QString>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace millrace::ui {

/// Which graph: empty for the pipeline itself, else the id of the model node whose layers are meant.
using Scope = std::string;

/// Everything that one gesture does to one graph. `apply` takes links and nodes out (indexes of the graph before),
/// changes nodes (indexes between), and puts nodes and links in (indexes of the graph after); backwards it is the same
/// with the roles exchanged, so that undo restores the file's order too.
struct Change
{
    struct NodeAt
    {
        std::size_t index = 0;
        pipeline::Node node;
    };
    struct LinkAt
    {
        std::size_t index = 0;
        pipeline::Link link;
    };
    struct Edit
    {
        std::size_t index = 0;
        pipeline::Node before, after;
    };

    Scope scope;
    std::vector<NodeAt> removedNodes, addedNodes;
    std::vector<LinkAt> removedLinks, addedLinks;
    std::vector<Edit> edits;
    std::optional<std::pair<std::string, std::string>> name; ///< the pipeline's name, before and after

    bool empty() const;
    /// Whether only positions differ, so that nothing needs to be checked again.
    bool onlyMoves() const;
    Change reversed() const;
};

void apply(pipeline::Document& graph, const Change& change);

// What gestures do, as changes; nothing is altered yet. An unknown id gives an empty change.

/// An id that neither the graph nor `taken` has: the wish itself, else with "_2", "_3", …
std::string freeId(const pipeline::Document& graph, const std::string& wish, const std::set<std::string>& taken = {});
Change addition(const pipeline::Document& graph, std::vector<pipeline::Node> nodes, std::vector<pipeline::Link> links);
/// The nodes with every link at them, and the links.
Change removal(const pipeline::Document& graph, const std::set<std::string>& nodes,
               const std::vector<pipeline::Link>& links);
Change movement(const pipeline::Document& graph, const std::map<std::string, QPointF>& positions);
/// A new link; `instead` is taken away in the same step.
Change linking(const pipeline::Document& graph, const pipeline::Link& link,
               const std::optional<pipeline::Link>& instead = {});
/// The parameter set, or given back to its default where there is no value.
Change setting(const pipeline::Document& graph, const std::string& node, const std::string& parameter,
               const std::optional<pipeline::Json>& value);
Change renaming(const pipeline::Document& graph, const std::string& node, const std::string& id);
/// Another type and other parameters for the node, its links kept.
Change replacement(const pipeline::Document& graph, const std::string& node, const std::string& type,
                   pipeline::Json params);

} // namespace millrace::ui

Q_DECLARE_METATYPE(millrace::ui::Change)
