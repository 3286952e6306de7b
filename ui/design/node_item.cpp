#include "ui/design/node_item.h"

#include "ui/design/canvas_scene.h"
#include "ui/theme/theme.h"

#include <QGraphicsSceneHoverEvent>
#include <QPainterPath>
#include <algorithm>

namespace millrace::ui {

namespace {
constexpr qreal kReach = 11, kRadius = 8;
constexpr int kHead = 44;
} // namespace

NodeItem::NodeItem(NodeView view) : m_view(std::move(view))
{
    setFlags(ItemIsMovable | ItemIsSelectable | ItemSendsScenePositionChanges | ItemIsFocusable);
    setZValue(2);
}

void NodeItem::setView(NodeView view)
{
    if (view == m_view) return;
    if (view.inputs.size() != m_view.inputs.size() || view.outputs.size() != m_view.outputs.size())
        prepareGeometryChange();
    m_view = std::move(view);
    setToolTip(m_view.signText);
    update();
}

int NodeItem::height() const
{
    const auto ports = static_cast<int>(std::max(m_view.inputs.size(), m_view.outputs.size()));
    return std::max(78, kPortTop + kPortStep * ports - 4);
}

QPointF NodeItem::localPosition(std::size_t index, bool output) const
{
    return {output ? qreal(kWidth) : 0.0, qreal(kPortTop + kPortStep * static_cast<int>(index))};
}

QPointF NodeItem::portPosition(std::string_view port, bool output) const
{
    const auto& ports = output ? m_view.outputs : m_view.inputs;
    for (std::size_t i = 0; i < ports.size(); ++i)
        if (ports[i].id == port) return mapToScene(localPosition(i, output));
    return mapToScene(localPosition(0, output));
}

std::optional<NodeItem::Port> NodeItem::portAt(const QPointF& point) const
{
    for (const bool output : {true, false}) {
        const auto& ports = output ? m_view.outputs : m_view.inputs;
        for (std::size_t i = 0; i < ports.size(); ++i) {
            const QPointF distance = mapToScene(localPosition(i, output)) - point;
            if (QPointF::dotProduct(distance, distance) <= kReach * kReach) return Port{ports[i].id, output};
        }
    }
    return std::nullopt;
}

void NodeItem::setTarget(const std::optional<Port>& port, bool allowed)
{
    if (port == m_target && allowed == m_targetAllowed) return;
    m_target = port;
    m_targetAllowed = allowed;
    update();
}

void NodeItem::setTurn(double turn)
{
    m_turn = turn;
    update();
}

QRectF NodeItem::boundingRect() const
{
    return QRectF(0, 0, kWidth, height()).adjusted(-kReach, -3, kReach, 5);
}

QPainterPath NodeItem::shape() const
{
    QPainterPath path;
    path.addRect(QRectF(0, 0, kWidth, height()));
    return path;
}

QVariant NodeItem::itemChange(GraphicsItemChange change, const QVariant& value)
{
    if (change == ItemScenePositionHasChanged)
        if (auto* canvas = qobject_cast<CanvasScene*>(scene())) canvas->followNode(*this);
    return QGraphicsItem::itemChange(change, value);
}

void NodeItem::paint(QPainter* painter, const QStyleOptionGraphicsItem*, QWidget*)
{
    if (isSeenFromAfar(*painter)) return paintFromAfar(*painter);
    painter->setRenderHint(QPainter::Antialiasing);
    const QRectF area = QRectF(0, 0, kWidth, height()).adjusted(0.5, 0.5, -0.5, -0.5);
    if (!theme().isDark()) { // hardly a shadow
        painter->setPen(Qt::NoPen);
        painter->setBrush(QColor(0, 0, 0, 12));
        painter->drawRoundedRect(area.translated(0, 1.5).adjusted(-1, 0, 1, 1), kRadius + 1, kRadius + 1);
    }
    const bool running = m_view.sign == Sign::Running;
    const bool failed = m_view.sign == Sign::Failed;
    const Role border = isSelected() || running ? Role::Accent : failed ? Role::Bad : Role::Line;
    painter->setPen(QPen(theme().color(border), border == Role::Line ? 1 : 2));
    painter->setBrush(theme().color(Role::Raised));
    painter->drawRoundedRect(area, kRadius, kRadius);
    painter->setPen(QPen(theme().color(Role::Hairline), 1));
    painter->drawLine(QPointF(1, kHead + 0.5), QPointF(kWidth - 1, kHead + 0.5));
    painter->setPen(Qt::NoPen);
    painter->setBrush(theme().port(m_view.flow));
    painter->drawRoundedRect(QRectF(10, 11, 4, 22), 2, 2);
    paintText(*painter);
    paintSign(*painter, QRectF(kWidth - 28, 10, 14, 14), m_view.sign, m_turn);
    if (m_view.fraction >= 0) {
        painter->setClipRect(QRectF(1, height() - 5, (kWidth - 2) * std::min(1.0, m_view.fraction), 4));
        painter->setPen(Qt::NoPen);
        painter->setBrush(theme().color(Role::Accent));
        painter->drawRoundedRect(area.adjusted(1, 1, -1, -1), kRadius - 1, kRadius - 1);
        painter->setClipping(false);
    }
    paintPorts(*painter, m_view.inputs, false);
    paintPorts(*painter, m_view.outputs, true);
}

void NodeItem::paintFromAfar(QPainter& painter) const
{
    const bool failed = m_view.sign == Sign::Failed;
    const bool strong = isSelected() || m_view.sign == Sign::Running;
    painter.setPen(QPen(theme().color(strong   ? Role::Accent
                                      : failed ? Role::Bad
                                               : Role::Line),
                        strong || failed ? 8 : 2));
    painter.setBrush(theme().color(Role::Raised));
    painter.drawRect(QRectF(0, 0, kWidth, height()));
    painter.fillRect(QRectF(10, 11, 8, 22), theme().port(m_view.flow));
}

void NodeItem::paintText(QPainter& painter) const
{
    const auto line = [&](const QRectF& area, TextStyle style, Role role, const QString& text) {
        painter.setFont(theme().font(style));
        painter.setPen(theme().color(role));
        painter.drawText(area, Qt::AlignLeft | Qt::AlignVCenter,
                         QFontMetrics(painter.font()).elidedText(text, Qt::ElideRight, static_cast<int>(area.width())));
    };
    line(QRectF(22, 7, kWidth - 54, 17), TextStyle::Strong, Role::Text, m_view.title);
    line(QRectF(22, 24, kWidth - 40, 14), TextStyle::Caption, Role::Faint, m_view.type);
    line(QRectF(14, kHead + 2, kWidth - 28, height() - kHead - 6), TextStyle::Caption, Role::Muted, m_view.facts);
}

void NodeItem::paintPorts(QPainter& painter, const std::vector<PortView>& ports, bool output) const
{
    for (std::size_t i = 0; i < ports.size(); ++i) {
        const QColor color = theme().port(ports[i].type);
        const QPointF at = localPosition(i, output);
        const bool target = m_target && m_target->id == ports[i].id && m_target->output == output;
        if (target) {
            painter.setPen(QPen(theme().color(m_targetAllowed ? Role::Good : Role::Bad), 2));
            painter.setBrush(Qt::NoBrush);
            painter.drawEllipse(at, kPortRadius + 4, kPortRadius + 4);
        }
        painter.setPen(QPen(color, 2)); // hollow in, full out
        painter.setBrush(output ? color : theme().color(Role::Raised));
        painter.drawEllipse(at, kPortRadius - 0.5, kPortRadius - 0.5);
    }
}

} // namespace millrace::ui
