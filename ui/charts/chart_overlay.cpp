#include "ui/charts/chart_overlay.h"

#include "ui/charts/line_chart.h"
#include "ui/theme/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QWheelEvent>

namespace millrace::ui {

using namespace Qt::StringLiterals;

ChartOverlay::ChartOverlay(LineChart& chart) : QWidget(&chart), m_chart(chart)
{
    setMouseTracking(true);
    setFocusPolicy(Qt::TabFocus);
    setAccessibleName(tr("Chart"));
}

void ChartOverlay::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRect plot = m_chart.m_plot->axisRect()->rect();
    if (hasFocus()) {
        painter.setPen(QPen(theme().color(Role::Accent), 1));
        painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), 4, 4);
    }
    if (m_chart.curves().empty()) {
        painter.setPen(theme().color(Role::Faint));
        painter.setFont(theme().font(TextStyle::Caption));
        painter.drawText(plot, Qt::AlignCenter, tr("No points yet"));
        return;
    }
    if (!m_chart.crosshair()) return;
    const double x = m_chart.m_plot->xAxis->coordToPixel(*m_chart.crosshair());
    if (x < plot.left() - 1 || x > plot.right() + 1) return;
    painter.setPen(QPen(theme().color(Role::Muted), 1, Qt::DotLine));
    painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()));
    paintBox(painter, x);
}

void ChartOverlay::paintBox(QPainter& painter, double atX)
{
    const auto readings = m_chart.readings();
    if (readings.empty()) return;
    const QRect plot = m_chart.m_plot->axisRect()->rect();
    for (const Reading& reading : readings) {
        const QPointF at(m_chart.m_plot->xAxis->coordToPixel(reading.x),
                         m_chart.m_plot->yAxis->coordToPixel(reading.y));
        if (!plot.adjusted(-4, -4, 4, 4).contains(at.toPoint())) continue;
        painter.setPen(QPen(theme().color(Role::Raised), 1.5));
        painter.setBrush(theme().run(reading.color));
        painter.drawEllipse(at, 4, 4);
    }

    const QFont small = theme().font(TextStyle::Caption);
    const QFont strong = theme().font(TextStyle::CaptionStrong);
    const QFontMetrics smallSize(small), strongSize(strong);
    const QString head = (m_chart.m_plot->xAxis->label() + u' ' + m_chart.m_xText(readings.front().x)).trimmed();
    int nameWidth = 0, valueWidth = 0;
    for (const Reading& reading : readings) {
        nameWidth = std::max(nameWidth, smallSize.horizontalAdvance(reading.name));
        valueWidth = std::max(valueWidth, strongSize.horizontalAdvance(m_chart.m_yText(reading.y)));
    }
    nameWidth = std::min(nameWidth, 160);
    constexpr int kRow = 16, kPad = 8;
    const int width = std::max(smallSize.horizontalAdvance(head), 14 + nameWidth + 12 + valueWidth) + 2 * kPad;
    const int height = static_cast<int>(readings.size() + 1) * kRow + 2 * kPad - 4;
    const double left = atX + 12 + width <= plot.right() ? atX + 12 : std::max(2.0, atX - 12 - width);
    double middle = 0;
    for (const Reading& reading : readings)
        middle += m_chart.m_plot->yAxis->coordToPixel(reading.y) / static_cast<double>(readings.size());
    const bool below = middle < plot.center().y();
    const QRectF box(left, below ? plot.bottom() - 4 - height : plot.top() + 4, width, height);
    painter.setPen(QPen(theme().color(Role::Line), 1));
    painter.setBrush(theme().color(Role::Raised));
    painter.drawRoundedRect(box.adjusted(0.5, 0.5, 0.5, 0.5), 6, 6);
    QRectF row(box.left() + kPad, box.top() + kPad - 2, width - 2 * kPad, kRow);
    painter.setFont(small);
    painter.setPen(theme().color(Role::Muted));
    painter.drawText(row, Qt::AlignLeft | Qt::AlignVCenter, head);
    for (const Reading& reading : readings) {
        row.translate(0, kRow);
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme().run(reading.color));
        painter.drawRoundedRect(QRectF(row.left(), row.center().y() - 4, 8, 8), 2, 2);
        painter.setPen(theme().color(Role::Muted));
        painter.setFont(small);
        painter.drawText(row.adjusted(14, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter,
                         smallSize.elidedText(reading.name, Qt::ElideRight, nameWidth));
        painter.setPen(theme().color(Role::Text));
        painter.setFont(strong);
        painter.drawText(row, Qt::AlignRight | Qt::AlignVCenter, m_chart.m_yText(reading.y));
    }
}

void ChartOverlay::mouseMoveEvent(QMouseEvent* event)
{
    const QRect plot = m_chart.m_plot->axisRect()->rect();
    const double x = event->position().x();
    const bool inside = x >= plot.left() && x <= plot.right();
    m_chart.moveCrosshair(inside ? std::optional(m_chart.m_plot->xAxis->pixelToCoord(x)) : std::nullopt);
}

void ChartOverlay::mouseDoubleClickEvent(QMouseEvent*)
{
    m_chart.resetZoom();
}

void ChartOverlay::leaveEvent(QEvent*)
{
    m_chart.moveCrosshair(std::nullopt);
}

void ChartOverlay::focusOutEvent(QFocusEvent* event)
{
    m_chart.moveCrosshair(std::nullopt);
    QWidget::focusOutEvent(event);
}

void ChartOverlay::wheelEvent(QWheelEvent* event)
{
    // without Ctrl the page scrolls on
    if (!(event->modifiers() & Qt::ControlModifier)) return event->ignore();
    const double around = m_chart.m_plot->xAxis->pixelToCoord(event->position().x());
    m_chart.zoom(event->angleDelta().y() > 0 ? 0.8 : 1.25, around);
}

void ChartOverlay::keyPressEvent(QKeyEvent* event)
{
    const QCPRange range = m_chart.m_plot->xAxis->range();
    const double around = m_chart.crosshair().value_or(range.center());
    switch (event->key()) {
    case Qt::Key_Left:
        m_chart.stepCrosshair(-1);
        break;
    case Qt::Key_Right:
        m_chart.stepCrosshair(+1);
        break;
    case Qt::Key_Plus:
        m_chart.zoom(0.8, around);
        break;
    case Qt::Key_Minus:
        m_chart.zoom(1.25, around);
        break;
    case Qt::Key_0:
        m_chart.resetZoom();
        break;
    default:
        return QWidget::keyPressEvent(event);
    }
    QStringList words;
    for (const Reading& reading : m_chart.readings()) words << reading.name + u' ' + m_chart.m_yText(reading.y);
    setAccessibleDescription(words.join(u", "_s));
}

} // namespace millrace::ui
