#include "ui/widgets/sign.h"

#include <QPainter>
#include <QPainterPath>

namespace millrace::ui {

Role signRole(Sign sign)
{
    switch (sign) {
    case Sign::Running:
        return Role::Accent;
    case Sign::Done:
        return Role::Good;
    case Sign::Failed:
        return Role::Bad;
    case Sign::Warning:
        return Role::Caution;
    case Sign::None:
    case Sign::Waiting:
    case Sign::Cached:
    case Sign::Stopped:
    case Sign::Skipped:
        break;
    }
    return Role::Muted;
}

namespace {

void paintExclamation(QPainter& painter, const QPointF& top, qreal unit)
{
    painter.drawLine(top, top + QPointF(0, 4.4 * unit));
    painter.drawPoint(top + QPointF(0, 7.2 * unit));
}

void paintSheets(QPainter& painter)
{
    QPolygonF sheet;
    sheet << QPointF(8, 2.4) << QPointF(14.2, 5.4) << QPointF(8, 8.4) << QPointF(1.8, 5.4);
    painter.drawPolygon(sheet);
    painter.drawPolyline(QPolygonF() << QPointF(1.8, 9) << QPointF(8, 12) << QPointF(14.2, 9));
}

} // namespace

void paintSign(QPainter& painter, const QRectF& rect, Sign sign, double turn, double fraction)
{
    if (sign == Sign::None) return;
    const QColor color = theme().color(signRole(sign));
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.translate(rect.topLeft());
    painter.scale(rect.width() / 16, rect.height() / 16);
    QPen pen(color, 1.5, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin);
    painter.setPen(pen);
    painter.setBrush(Qt::NoBrush);
    const QRectF ring(1.5, 1.5, 13, 13);
    switch (sign) {
    case Sign::None:
        break;
    case Sign::Waiting:
        painter.setPen(Qt::NoPen);
        painter.setBrush(color);
        painter.drawEllipse(QPointF(8, 8), 2.2, 2.2);
        break;
    case Sign::Cached:
        paintSheets(painter);
        break;
    case Sign::Running: {
        painter.setPen(QPen(theme().color(Role::Line), 2));
        painter.drawEllipse(ring);
        pen.setWidthF(2);
        painter.setPen(pen);
        const double closed = fraction < 0 ? 0.3 : std::max(fraction, 0.03);
        painter.drawArc(ring, qRound((0.25 - turn) * 360 * 16), -qRound(closed * 360 * 16));
        break;
    }
    case Sign::Done:
        painter.drawEllipse(ring);
        painter.drawPolyline(QPolygonF() << QPointF(5, 8.3) << QPointF(7.2, 10.5) << QPointF(11, 5.9));
        break;
    case Sign::Failed:
        painter.drawEllipse(ring);
        paintExclamation(painter, QPointF(8, 4.4), 1);
        break;
    case Sign::Warning:
        painter.drawPolygon(QPolygonF() << QPointF(8, 1.8) << QPointF(15, 14) << QPointF(1, 14));
        paintExclamation(painter, QPointF(8, 5.8), 0.8);
        break;
    case Sign::Stopped:
        painter.setPen(Qt::NoPen);
        painter.setBrush(color);
        painter.drawRoundedRect(QRectF(3, 3, 10, 10), 1.5, 1.5);
        break;
    case Sign::Skipped:
        painter.drawLine(QPointF(4, 8), QPointF(12, 8));
        break;
    }
    painter.restore();
}

SignLabel::SignLabel(Sign sign, QWidget* parent) : QWidget(parent), m_sign(sign)
{
    setFixedSize(14, 14);
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void SignLabel::setSign(Sign sign)
{
    m_sign = sign;
    update();
}

void SignLabel::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintSign(painter, rect(), m_sign);
}

} // namespace millrace::ui
