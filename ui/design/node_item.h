// A node on the canvas: what it shows is a value, made from the document by the scene.
#pragma once

#include "ui/widgets/sign.h"

#include <QGraphicsItem>
#include <QPainter>
#include <QString>
#include <QStyleOptionGraphicsItem>
#include <optional>
#include <string>
#include <vector>

namespace millrace::ui {

struct PortView
{
    std::string id;
    QString title, type; ///< type: "rows", "model", …
    bool linked = false;
    bool operator==(const PortView&) const = default;
};

struct NodeView
{
    std::string id;
    QString title, type, facts;
    QString flow; ///< the port type whose colour the bar has
    std::vector<PortView> inputs, outputs;
    Sign sign = Sign::None;
    QString signText;     ///< the sign in words
    double fraction = -1; ///< of the stage at work; negative: no line
    bool operator==(const NodeView&) const = default;
};

/// Zoomed out so far that letters are shorter than four pixels: only shapes are painted then.
inline bool isSeenFromAfar(const QPainter& painter)
{
    return QStyleOptionGraphicsItem::levelOfDetailFromTransform(painter.worldTransform()) < 0.35;
}

class NodeItem : public QGraphicsItem
{
public:
    static constexpr int kWidth = 190, kPortTop = 22, kPortStep = 20, kPortRadius = 5;
    enum
    {
        Type = UserType + 1
    };

    explicit NodeItem(NodeView view);

    const NodeView& view() const { return m_view; }
    void setView(NodeView view);
    int height() const;
    /// In the scene. An unknown port is at the node's edge.
    QPointF portPosition(std::string_view port, bool output) const;

    struct Port
    {
        std::string id;
        bool output = false;
        bool operator==(const Port&) const = default;
    };
    /// The port within reach of the scene's point.
    std::optional<Port> portAt(const QPointF& point) const;
    /// Draws the port as the one a link may, or may not, end at.
    void setTarget(const std::optional<Port>& port, bool allowed);
    /// How far the ring of a running stage has gone round, 0 to 1.
    void setTurn(double turn);

    int type() const override { return Type; }
    QRectF boundingRect() const override;
    QPainterPath shape() const override;
    void paint(QPainter* painter, const QStyleOptionGraphicsItem* option, QWidget* widget) override;

protected:
    QVariant itemChange(GraphicsItemChange change, const QVariant& value) override;

private:
    void paintFromAfar(QPainter& painter) const;
    void paintPorts(QPainter& painter, const std::vector<PortView>& ports, bool output) const;
    void paintText(QPainter& painter) const;
    QPointF localPosition(std::size_t index, bool output) const;

    NodeView m_view;
    std::optional<Port> m_target;
    bool m_targetAllowed = false;
    double m_turn = 0;
};

} // namespace millrace::ui
