#include "ui/models/drawing_pad.h"

#include "ui/theme/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>
#include <QPainterPath>
#include <algorithm>

namespace millrace::ui {

namespace {

constexpr double kKeyStep = 1.0 / 24;

void paintPaper(QPainter& painter, const QRectF& paper, bool focused)
{
    painter.setPen(QPen(theme().color(focused ? Role::Accent : Role::Line), 1));
    painter.setBrush(theme().color(Role::Field));
    painter.drawRoundedRect(paper.adjusted(0.5, 0.5, -0.5, -0.5), measure::kControlRadius, measure::kControlRadius);
}

} // namespace

DrawingPad::DrawingPad(QWidget* parent) : QWidget(parent)
{
    setFocusPolicy(Qt::StrongFocus);
    setCursor(Qt::CrossCursor);
    setFixedSize(sizeHint());
    setAccessibleName(tr("Paper to draw a digit on"));
    setAccessibleDescription(tr("Arrow keys move the pen, Space sets it down and lifts it, Delete clears the paper."));
    setToolTip(tr("Draw with the mouse; or with the arrow keys, Space sets the pen down and lifts it, Delete clears."));
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void DrawingPad::clear()
{
    m_strokes.clear();
    m_drawing = m_keyPenDown = false;
    update();
    emit changed();
}

void DrawingPad::begin(const QPointF& at)
{
    m_strokes.push_back(Stroke{at});
    update();
    emit changed();
}

void DrawingPad::extend(const QPointF& to)
{
    m_strokes.back() << QPointF(std::clamp(to.x(), 0.0, static_cast<double>(width())),
                                std::clamp(to.y(), 0.0, static_cast<double>(height())));
    update();
    emit changed();
}

void DrawingPad::mousePressEvent(QMouseEvent* event)
{
    if (event->button() != Qt::LeftButton) return QWidget::mousePressEvent(event);
    m_drawing = true;
    m_keyPenDown = m_keyPenShown = false;
    begin(event->position());
}

void DrawingPad::mouseMoveEvent(QMouseEvent* event)
{
    if (m_drawing) extend(event->position());
}

void DrawingPad::mouseReleaseEvent(QMouseEvent* event)
{
    if (event->button() == Qt::LeftButton) m_drawing = false;
}

void DrawingPad::moveKeyPen(const QPointF& by)
{
    m_keyPen += by;
    m_keyPen = {std::clamp(m_keyPen.x(), 0.0, 1.0), std::clamp(m_keyPen.y(), 0.0, 1.0)};
    m_keyPenShown = true;
    if (m_keyPenDown) extend({m_keyPen.x() * width(), m_keyPen.y() * height()});
    update();
}

void DrawingPad::keyPressEvent(QKeyEvent* event)
{
    switch (event->key()) {
    case Qt::Key_Left:
        return moveKeyPen({-kKeyStep, 0});
    case Qt::Key_Right:
        return moveKeyPen({kKeyStep, 0});
    case Qt::Key_Up:
        return moveKeyPen({0, -kKeyStep});
    case Qt::Key_Down:
        return moveKeyPen({0, kKeyStep});
    case Qt::Key_Space:
        m_keyPenDown = !m_keyPenDown;
        if (m_keyPenDown) begin({m_keyPen.x() * width(), m_keyPen.y() * height()});
        return moveKeyPen({0, 0});
    case Qt::Key_Delete:
    case Qt::Key_Backspace:
        return clear();
    default:
        return QWidget::keyPressEvent(event);
    }
}

void DrawingPad::focusInEvent(QFocusEvent* event)
{
    m_keyPenShown = event->reason() == Qt::TabFocusReason || event->reason() == Qt::BacktabFocusReason;
    QWidget::focusInEvent(event);
}

void DrawingPad::focusOutEvent(QFocusEvent* event)
{
    m_keyPenShown = m_keyPenDown = false;
    QWidget::focusOutEvent(event);
}

void DrawingPad::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    paintPaper(painter, rect(), hasFocus());
    if (m_strokes.empty()) {
        painter.setPen(theme().color(Role::Faint));
        painter.drawText(rect(), Qt::AlignCenter, tr("Draw a digit here"));
    }
    // a broad faint line under a narrower one: a soft pen
    for (const auto& [width, alpha] : {std::pair(25.0, 0.22f), std::pair(17.0, 1.0f)}) {
        QColor ink = theme().color(Role::Text);
        ink.setAlphaF(alpha);
        painter.setPen(QPen(ink, width, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
        painter.setBrush(Qt::NoBrush);
        for (const Stroke& stroke : m_strokes) {
            if (stroke.size() == 1) {
                painter.drawPoint(stroke.front());
                continue;
            }
            // through the middles between the points, so that a quick hand's corners are round
            QPainterPath path(stroke.front());
            for (qsizetype i = 1; i + 1 < stroke.size(); ++i) path.quadTo(stroke[i], (stroke[i] + stroke[i + 1]) / 2);
            path.lineTo(stroke.back());
            painter.drawPath(path);
        }
    }
    if (!m_keyPenShown) return;
    painter.setPen(QPen(theme().color(Role::Accent), 2));
    painter.setBrush(m_keyPenDown ? QBrush(theme().color(Role::Accent)) : QBrush(Qt::NoBrush));
    painter.drawEllipse(QPointF(m_keyPen.x() * width(), m_keyPen.y() * height()), 6, 6);
}

PicturePreview::PicturePreview(QWidget* parent) : QWidget(parent)
{
    setFixedSize(sizeHint());
    setAccessibleName(tr("The picture as the network sees it"));
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void PicturePreview::setPicture(int width, int height, std::vector<float> pixels)
{
    m_width = width;
    m_height = height;
    m_pixels = std::move(pixels);
    update();
}

void PicturePreview::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    paintPaper(painter, rect(), false);
    if (m_width <= 0 || m_height <= 0) return;
    painter.setRenderHint(QPainter::Antialiasing, false);
    const double cell = (width() - 8.0) / std::max(m_width, m_height);
    painter.setPen(Qt::NoPen);
    for (int y = 0; y < m_height; ++y) {
        for (int x = 0; x < m_width; ++x) {
            const float ink = m_pixels[static_cast<std::size_t>(y * m_width + x)];
            if (ink <= 0) continue;
            QColor color = theme().color(Role::Text);
            color.setAlphaF(std::min(1.0f, ink));
            painter.fillRect(QRectF(4 + x * cell, 4 + y * cell, cell, cell), color);
        }
    }
}

} // namespace millrace::ui
