// The canvas's content: one graph of the document, as items. It only listens; gestures change the document.
#pragma once

#include "ui/design/link_item.h"
#include "ui/design/node_item.h"
#include "ui/document/pipeline_document.h"

#include <QGraphicsScene>
#include <QTimer>
#include <map>
#include <memory>
#include <vector>

namespace millrace::ui {

class CanvasScene : public QGraphicsScene
{
    Q_OBJECT

public:
    explicit CanvasScene(PipelineDocument& document, QObject* parent = nullptr);
    ~CanvasScene() override;

    PipelineDocument& document() const { return m_document; }
    const Scope& scope() const { return m_scope; }
    void setScope(const Scope& scope);
    /// The graph that is shown.
    const pipeline::Document& graph() const;

    NodeItem* node(std::string_view id) const;
    std::vector<std::string> selectedNodes() const;
    std::vector<pipeline::Link> selectedLinks() const;
    void select(const std::vector<std::string>& nodes);
    /// Puts every node where the document has it.
    void putBack() { sync(); }

    struct PortHit
    {
        NodeItem* node = nullptr;
        NodeItem::Port port;
    };
    std::optional<PortHit> portAt(const QPointF& point) const;
    /// All nodes, with some air around them.
    QRectF contentRect() const;

    /// Called by a node that was moved: its links go along.
    void followNode(const NodeItem& node);

signals:
    void scopeChanged();
    /// Items came, went or moved.
    void contentChanged();

private:
    void sync();
    void syncLinks();
    void updateTexts();
    NodeView viewOf(const pipeline::Node& node) const;
    void addState(NodeView& view) const;
    QString linkFlow(const pipeline::Link& link) const;

    PipelineDocument& m_document;
    Scope m_scope;
    pipeline::Document m_empty; ///< shown for a node that has no layers of its own
    std::map<std::string, NodeItem*, std::less<>> m_nodes;
    std::vector<LinkItem*> m_links; ///< in the document's order
    QTimer m_turn;                  ///< runs while a node's ring goes round
    int m_turnStep = 0;
};

} // namespace millrace::ui
