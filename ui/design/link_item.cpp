#include "ui/design/link_item.h"

#include "ui/design/node_item.h"
#include "ui/theme/theme.h"
#include "ui/widgets/pill.h"

#include <QPainter>
#include <algorithm>
#include <cmath>

namespace millrace::ui {

namespace {

constexpr qreal kCorner = 12;

// Along the corners, each rounded.
QPainterPath rounded(const QList<QPointF>& corners)
{
    QPainterPath path(corners.first());
    for (qsizetype i = 1; i + 1 < corners.size(); ++i) {
        const QPointF before = corners[i - 1] - corners[i], after = corners[i + 1] - corners[i];
        const qreal lengthBefore = std::hypot(before.x(), before.y()), lengthAfter = std::hypot(after.x(), after.y());
        const qreal radius = std::min({kCorner, lengthBefore / 2, lengthAfter / 2});
        if (radius <= 0) continue;
        path.lineTo(corners[i] + before * (radius / lengthBefore));
        path.quadTo(corners[i], corners[i] + after * (radius / lengthAfter));
    }
    path.lineTo(corners.last());
    return path;
}

} // namespace

QPainterPath linkPath(const QPointF& from, const QPointF& to)
{
    const qreal dx = to.x() - from.x();
    if (dx < 0) { // it runs back: out, between the rows of nodes, and in again
        const qreal out = from.x() + 18, in = to.x() - 18, between = (from.y() + to.y()) / 2;
        return rounded({from, {out, from.y()}, {out, between}, {in, between}, {in, to.y()}, to});
    }
    const qreal bend = std::max(24.0, dx / 2);
    QPainterPath path(from);
    path.cubicTo(from + QPointF(bend, 0), to - QPointF(bend, 0), to);
    return path;
}

LinkItem::LinkItem(pipeline::Link link, QString flow) : m_link(std::move(link)), m_flow(std::move(flow))
{
    setFlag(ItemIsSelectable);
    setZValue(1);
}

void LinkItem::setEnds(const QPointF& from, const QPointF& to)
{
    setPath(linkPath(from, to));
}

void LinkItem::setTexts(const QString& pill, const QString& problem)
{
    if (pill == m_pill && problem == m_problem) return;
    m_pill = pill;
    m_problem = problem;
    setToolTip(problem);
    update();
}

QRectF LinkItem::boundingRect() const
{
    return path().boundingRect().adjusted(-40, -14, 40, 14);
}

QPainterPath LinkItem::shape() const
{
    QPainterPathStroker stroker;
    stroker.setWidth(10);
    return stroker.createStroke(path());
}

void LinkItem::paint(QPainter* painter, const QStyleOptionGraphicsItem*, QWidget*)
{
    painter->setRenderHint(QPainter::Antialiasing);
    QPen pen(m_problem.isEmpty() ? theme().port(m_flow) : theme().color(Role::Bad), isSelected() ? 3.5 : 2);
    if (!m_problem.isEmpty()) pen.setStyle(Qt::DashLine);
    painter->setPen(pen);
    painter->setBrush(Qt::NoBrush);
    painter->drawPath(path());
    if (isSeenFromAfar(*painter)) return;
    // a pill wider than a short link would hide it
    const QPointF ends = path().pointAtPercent(1) - path().pointAtPercent(0);
    if (!m_pill.isEmpty() && std::abs(ends.x()) + std::abs(ends.y()) > 44)
        paintPill(*painter, path().pointAtPercent(0.5), m_pill);
}

} // namespace millrace::ui
