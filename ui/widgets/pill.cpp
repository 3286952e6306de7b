#include "ui/widgets/pill.h"

#include <QFontMetricsF>
#include <QPainter>

namespace millrace::ui {

namespace {
QSizeF pillSize(const QString& text)
{
    const QFontMetricsF metrics(theme().font(TextStyle::Caption));
    return {metrics.horizontalAdvance(text) + 14, 18};
}
} // namespace

QRectF paintPill(QPainter& painter, const QPointF& center, const QString& text, Role role)
{
    const QSizeF size = pillSize(text);
    const QRectF rect(center - QPointF(size.width() / 2, size.height() / 2), size);
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme().color(Role::Line), 1));
    painter.setBrush(theme().color(Role::Raised));
    painter.drawRoundedRect(rect, 9, 9);
    painter.setPen(theme().color(role));
    painter.setFont(theme().font(TextStyle::Caption));
    painter.drawText(rect, Qt::AlignCenter | Qt::TextSingleLine, text);
    painter.restore();
    return rect;
}

Pill::Pill(const QString& text, Role role, QWidget* parent) : QWidget(parent), m_text(text), m_role(role)
{
    setSizePolicy(QSizePolicy::Fixed, QSizePolicy::Fixed);
    setAccessibleName(text);
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void Pill::setText(const QString& text)
{
    m_text = text;
    setAccessibleName(text);
    updateGeometry();
    update();
}

void Pill::setRole(Role role)
{
    m_role = role;
    update();
}

QSize Pill::sizeHint() const
{
    const QSizeF size = pillSize(m_text);
    return {static_cast<int>(size.width()) + 2, 20};
}

void Pill::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintPill(painter, QRectF(rect()).center(), m_text, m_role);
}

} // namespace millrace::ui
