#include "ui/design/canvas_view.h"

#include "ui/design/link_gesture.h"
#include "ui/design/minimap.h"
#include "ui/document/text.h"
#include "ui/theme/theme.h"
#include "ui/widgets/label.h"

#include <QDragEnterEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QMimeData>
#include <QPainter>
#include <QScrollBar>
#include <QWheelEvent>
#include <algorithm>
#include <cmath>

namespace millrace::ui {

namespace {
constexpr int kGrid = 20;
constexpr double kSmallest = 0.15, kLargest = 2.5;
const QString kNodeMime = QStringLiteral("application/x-millrace-node-type");

QPointF snapped(const QPointF& point)
{
    return {std::round(point.x() / 10) * 10, std::round(point.y() / 10) * 10};
}
} // namespace

CanvasView::CanvasView(CanvasScene& scene, QWidget* parent) : QGraphicsView(&scene, parent), m_scene(scene)
{
    setFrameShape(QFrame::NoFrame);
    setDragMode(RubberBandDrag);
    setRenderHint(QPainter::Antialiasing);
    setTransformationAnchor(AnchorUnderMouse);
    setViewportUpdateMode(SmartViewportUpdate);
    setAcceptDrops(true);
    setAccessibleName(tr("Canvas"));
    setSceneRect(-4000, -4000, 12000, 12000);
    setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_minimap = new Minimap(scene, *this);
    m_reason = new Label(QString(), TextStyle::Caption, Role::Bad, this);
    m_reason->setAutoFillBackground(true);
    m_reason->setMargin(6);
    m_reason->hide();
    connect(&theme(), &Theme::changed, this, [this] { resetCachedContent(); });
}

CanvasView::~CanvasView() = default;

void CanvasView::drawBackground(QPainter* painter, const QRectF& rect)
{
    painter->fillRect(rect, theme().color(Role::Canvas));
    if (transform().m11() < 0.4) return; // closer than four pixels dots are only grey
    painter->setPen(QPen(theme().color(Role::Dots), 1.6 / transform().m11()));
    QList<QPointF> dots;
    for (double x = std::floor(rect.left() / kGrid) * kGrid; x < rect.right(); x += kGrid)
        for (double y = std::floor(rect.top() / kGrid) * kGrid; y < rect.bottom(); y += kGrid) dots << QPointF(x, y);
    painter->drawPoints(dots.constData(), static_cast<int>(dots.size()));
}

void CanvasView::zoomBy(double factor)
{
    const double now = transform().m11();
    const double wanted = std::clamp(now * factor, kSmallest, kLargest);
    scale(wanted / now, wanted / now);
    emit viewMoved();
}

void CanvasView::fitToView()
{
    const QRectF content = m_scene.contentRect();
    if (content.isEmpty()) return;
    const QRectF area(viewport()->rect());
    const double factor = std::min({1.0, area.width() / content.width(), area.height() / content.height()});
    setTransform(QTransform::fromScale(std::max(factor, kSmallest), std::max(factor, kSmallest)));
    centerOn(content.center());
    emit viewMoved();
}

QPointF CanvasView::placeForNew() const
{
    const QPoint pointer = viewport()->mapFromGlobal(QCursor::pos());
    const QPoint place = viewport()->rect().contains(pointer) && underMouse() ? pointer : viewport()->rect().center();
    return snapped(mapToScene(place));
}

void CanvasView::addNode(const QString& type, const std::optional<QPointF>& at)
{
    pipeline::Node node;
    node.type = type.toStdString();
    node.id = freeId(m_scene.graph(), node.type.substr(node.type.find('.') + 1));
    QPointF place = snapped(at.value_or(placeForNew()) - QPointF(NodeItem::kWidth / 2.0, 30));
    // not exactly upon another one, where it would hide it
    const auto taken = [&] {
        return std::any_of(m_scene.graph().nodes.begin(), m_scene.graph().nodes.end(),
                           [&](const pipeline::Node& other) {
                               return std::abs(other.x - place.x()) < 20 && std::abs(other.y - place.y()) < 20;
                           });
    };
    while (taken()) place += QPointF(kGrid, kGrid);
    node.x = place.x();
    node.y = place.y();
    const std::string id = node.id;
    Change change = addition(m_scene.graph(), {node}, {});
    change.scope = m_scene.scope();
    if (m_scene.document().change(std::move(change), tr("Add %1").arg(type))) m_scene.select({id});
}

void CanvasView::deleteSelection()
{
    const auto nodes = m_scene.selectedNodes();
    Change change = removal(m_scene.graph(), {nodes.begin(), nodes.end()}, m_scene.selectedLinks());
    if (change.empty()) return;
    change.scope = m_scene.scope();
    (void)m_scene.document().change(std::move(change), tr("Delete")); // a read-only file refuses, as its notice says
}

void CanvasView::selectAll()
{
    std::vector<std::string> all;
    for (const pipeline::Node& node : m_scene.graph().nodes) all.push_back(node.id);
    m_scene.select(all);
}

void CanvasView::linkByMenu()
{
    const auto selected = m_scene.selectedNodes();
    const pipeline::Node* node = selected.size() == 1 ? m_scene.graph().find(selected[0]) : nullptr;
    const pipeline::NodeSpec* spec = node == nullptr ? nullptr : m_scene.document().spec(*node);
    if (spec == nullptr) return;
    QMenu menu(this);
    for (const pipeline::PortSpec& output : spec->outputs)
        for (const pipeline::Node& other : m_scene.graph().nodes) {
            const pipeline::NodeSpec* otherSpec = m_scene.document().spec(other);
            if (otherSpec == nullptr) continue;
            for (const pipeline::PortSpec& input : otherSpec->inputs) {
                const pipeline::Link link{{node->id, output.id}, {other.id, input.id}};
                if (!pipeline::canLink(m_scene.graph(), m_scene.document().catalogue(), link.from, link.to)) continue;
                QAction* action =
                    menu.addAction(tr("%1 to %2 · %3").arg(toQt(output.title), titleOf(other.id), toQt(input.title)));
                connect(action, &QAction::triggered, this, [this, link] {
                    Change change = linking(m_scene.graph(), link);
                    change.scope = m_scene.scope();
                    (void)m_scene.document().change(std::move(change), tr("Link"));
                });
            }
        }
    if (menu.isEmpty()) menu.addAction(tr("No free input takes what this node gives"))->setEnabled(false);
    const NodeItem* item = m_scene.node(node->id);
    menu.exec(viewport()->mapToGlobal(mapFromScene(item->pos() + QPointF(NodeItem::kWidth, 0))));
}

void CanvasView::mousePressEvent(QMouseEvent* event)
{
    if (event->button() == Qt::MiddleButton || (m_space && event->button() == Qt::LeftButton)) {
        m_panFrom = event->pos();
        viewport()->setCursor(Qt::ClosedHandCursor);
        return;
    }
    if (event->button() == Qt::LeftButton)
        if (const auto hit = m_scene.portAt(mapToScene(event->pos()))) {
            m_link = std::make_unique<LinkGesture>(m_scene, *hit);
            m_link->moveTo(mapToScene(event->pos()));
            return;
        }
    QGraphicsView::mousePressEvent(event);
}

void CanvasView::mouseMoveEvent(QMouseEvent* event)
{
    if (m_panFrom) {
        const QPoint delta = event->pos() - *m_panFrom;
        m_panFrom = event->pos();
        horizontalScrollBar()->setValue(horizontalScrollBar()->value() - delta.x());
        verticalScrollBar()->setValue(verticalScrollBar()->value() - delta.y());
        return;
    }
    if (m_link) {
        refuse(m_link->moveTo(mapToScene(event->pos())), event->pos());
        return;
    }
    QGraphicsView::mouseMoveEvent(event);
    if (event->buttons() == Qt::NoButton)
        viewport()->setCursor(m_scene.portAt(mapToScene(event->pos())) ? Qt::CrossCursor : Qt::ArrowCursor);
}

void CanvasView::mouseReleaseEvent(QMouseEvent* event)
{
    if (m_panFrom) {
        m_panFrom.reset();
        viewport()->setCursor(m_space ? Qt::OpenHandCursor : Qt::ArrowCursor);
        return;
    }
    if (m_link) {
        const auto link = std::move(m_link); // its line goes with it, whatever the document answers
        m_reason->hide();
        link->finish(mapToScene(event->pos()));
        return;
    }
    QGraphicsView::mouseReleaseEvent(event);
    commitMoves();
}

void CanvasView::mouseDoubleClickEvent(QMouseEvent* event)
{
    if (const auto* node = qgraphicsitem_cast<NodeItem*>(itemAt(event->pos())))
        emit nodeActivated(toQt(node->view().id));
    else if (itemAt(event->pos()) == nullptr)
        emit addWanted(viewport()->mapToGlobal(event->pos()));
}

void CanvasView::refuse(const QString& reason, const QPoint& at)
{
    m_reason->setVisible(!reason.isEmpty());
    if (reason.isEmpty()) return;
    m_reason->setText(reason);
    m_reason->adjustSize();
    const QRect room = viewport()->rect();
    m_reason->move(std::min(at.x() + 16, room.width() - m_reason->width() - 4),
                   std::min(at.y() + 18, room.height() - m_reason->height() - 4));
    m_reason->raise();
}

// What was dragged stands where it was let go; the document hears of it once.
void CanvasView::commitMoves()
{
    std::map<std::string, QPointF> moved;
    for (const pipeline::Node& node : m_scene.graph().nodes) {
        const NodeItem* item = m_scene.node(node.id);
        const QPointF place = item == nullptr ? QPointF(node.x, node.y) : snapped(item->pos());
        if (item != nullptr && item->pos() != QPointF(node.x, node.y)) moved[node.id] = place;
    }
    if (moved.empty()) return;
    Change change = movement(m_scene.graph(), moved);
    change.scope = m_scene.scope();
    if (!m_scene.document().change(std::move(change), tr("Move"))) m_scene.putBack(); // refused
}

void CanvasView::nudge(const QPointF& step)
{
    std::map<std::string, QPointF> moved;
    for (const std::string& id : m_scene.selectedNodes()) {
        const pipeline::Node* node = m_scene.graph().find(id);
        moved[id] = QPointF(node->x, node->y) + step;
    }
    if (moved.empty()) return;
    Change change = movement(m_scene.graph(), moved);
    change.scope = m_scene.scope();
    (void)m_scene.document().change(std::move(change), tr("Move"), QStringLiteral("nudge"));
}

void CanvasView::wheelEvent(QWheelEvent* event)
{
    if (event->modifiers() & Qt::ControlModifier) {
        zoomBy(std::pow(1.0015, event->angleDelta().y()));
        return;
    }
    QGraphicsView::wheelEvent(event);
}

void CanvasView::keyPressEvent(QKeyEvent* event)
{
    const double step = event->modifiers() & Qt::ShiftModifier ? 50 : 10;
    switch (event->key()) {
    case Qt::Key_Left:
        return nudge({-step, 0});
    case Qt::Key_Right:
        return nudge({step, 0});
    case Qt::Key_Up:
        return nudge({0, -step});
    case Qt::Key_Down:
        return nudge({0, step});
    case Qt::Key_Space:
        m_space = true;
        viewport()->setCursor(Qt::OpenHandCursor);
        return;
    case Qt::Key_Escape:
        m_link.reset();
        m_reason->hide();
        m_scene.clearSelection();
        return;
    case Qt::Key_Return:
    case Qt::Key_Enter:
        if (const auto selected = m_scene.selectedNodes(); selected.size() == 1) emit nodeActivated(toQt(selected[0]));
        return;
    default:
        QGraphicsView::keyPressEvent(event);
    }
}

void CanvasView::keyReleaseEvent(QKeyEvent* event)
{
    if (event->key() == Qt::Key_Space && !event->isAutoRepeat()) {
        m_space = false;
        viewport()->setCursor(Qt::ArrowCursor);
    }
    if (!event->isAutoRepeat()) m_scene.document().endMerge();
    QGraphicsView::keyReleaseEvent(event);
}

// Tab walks the nodes in the file's order; past the last one it leaves the canvas.
bool CanvasView::focusNextPrevChild(bool next)
{
    const auto& nodes = m_scene.graph().nodes;
    const auto selected = m_scene.selectedNodes();
    std::ptrdiff_t index = next ? 0 : static_cast<std::ptrdiff_t>(nodes.size()) - 1;
    if (!selected.empty()) {
        const auto at =
            std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) { return node.id == selected[0]; });
        index = at - nodes.begin() + (next ? 1 : -1);
    }
    if (index < 0 || index >= static_cast<std::ptrdiff_t>(nodes.size())) return QGraphicsView::focusNextPrevChild(next);
    const std::string& id = nodes[static_cast<std::size_t>(index)].id;
    m_scene.select({id});
    if (const NodeItem* item = m_scene.node(id)) ensureVisible(item);
    return true;
}

void CanvasView::resizeEvent(QResizeEvent* event)
{
    QGraphicsView::resizeEvent(event);
    m_minimap->move(width() - m_minimap->width() - 14, height() - m_minimap->height() - 14);
    emit viewMoved();
}

void CanvasView::scrollContentsBy(int dx, int dy)
{
    QGraphicsView::scrollContentsBy(dx, dy);
    emit viewMoved();
}

void CanvasView::dragEnterEvent(QDragEnterEvent* event)
{
    if (event->mimeData()->hasFormat(kNodeMime)) event->acceptProposedAction();
}

void CanvasView::dragMoveEvent(QDragMoveEvent* event)
{
    if (event->mimeData()->hasFormat(kNodeMime)) event->acceptProposedAction();
}

void CanvasView::dropEvent(QDropEvent* event)
{
    if (!event->mimeData()->hasFormat(kNodeMime)) return;
    addNode(QString::fromUtf8(event->mimeData()->data(kNodeMime)), mapToScene(event->position().toPoint()));
    event->acceptProposedAction();
    setFocus();
}

} // namespace millrace::ui
