#include "ui/design/minimap.h"

#include "ui/design/canvas_scene.h"
#include "ui/design/canvas_view.h"
#include "ui/theme/theme.h"

#include <QMouseEvent>
#include <QPainter>
#include <QScrollBar>
#include <algorithm>

namespace millrace::ui {

Minimap::Minimap(CanvasScene& scene, CanvasView& view) : QWidget(&view), m_scene(scene), m_view(view)
{
    setFixedSize(sizeHint());
    setAccessibleName(tr("Overview of the canvas"));
    connect(&scene, &CanvasScene::contentChanged, this, qOverload<>(&QWidget::update));
    connect(&scene, &QGraphicsScene::selectionChanged, this, qOverload<>(&QWidget::update));
    connect(&view, &CanvasView::viewMoved, this, qOverload<>(&QWidget::update));
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

QTransform Minimap::mapping() const
{
    const QRectF visible = m_view.mapToScene(m_view.viewport()->rect()).boundingRect();
    const QRectF all = m_scene.contentRect() | visible;
    if (all.isEmpty()) return {};
    const qreal scale = std::min((width() - 10) / all.width(), (height() - 10) / all.height());
    QTransform transform;
    transform.translate(width() / 2.0, height() / 2.0);
    transform.scale(scale, scale);
    transform.translate(-all.center().x(), -all.center().y());
    return transform;
}

void Minimap::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(theme().color(Role::Line));
    painter.setBrush(theme().color(Role::Surface));
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 7, 7);
    const QTransform transform = mapping();
    painter.setPen(Qt::NoPen);
    for (const pipeline::Node& node : m_scene.graph().nodes) {
        const NodeItem* item = m_scene.node(node.id);
        if (item == nullptr) continue;
        const bool strong = item->isSelected() || item->view().sign == Sign::Running;
        painter.setBrush(theme().color(strong ? Role::Accent : Role::Line));
        const QRectF area = transform.mapRect(QRectF(item->pos(), QSizeF(NodeItem::kWidth, item->height())));
        painter.drawRoundedRect(area, 1.5, 1.5);
    }
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme().color(Role::Accent), 1));
    painter.drawRect(transform.mapRect(m_view.mapToScene(m_view.viewport()->rect()).boundingRect())
                         .intersected(QRectF(rect()).adjusted(2, 2, -2, -2)));
}

void Minimap::mousePressEvent(QMouseEvent* event)
{
    goTo(event->position());
}

void Minimap::mouseMoveEvent(QMouseEvent* event)
{
    if (event->buttons() & Qt::LeftButton) goTo(event->position());
}

void Minimap::goTo(const QPointF& position)
{
    m_view.centerOn(mapping().inverted().map(position));
}

} // namespace millrace::ui
