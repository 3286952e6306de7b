#include "ui/widgets/label.h"

#include <QPainter>

namespace millrace::ui {

Label::Label(const QString& text, TextStyle style, Role role, QWidget* parent) : QLabel(text, parent), m_role(role)
{
    setTextFormat(Qt::PlainText);
    setFont(theme().font(style));
    recolor();
    connect(&theme(), &Theme::changed, this, &Label::recolor);
}

void Label::setRole(Role role)
{
    if (role == m_role) return;
    m_role = role;
    recolor();
}

void Label::setElided(bool elided)
{
    m_elided = elided;
    updateGeometry();
}

QSize Label::minimumSizeHint() const
{
    const QSize hint = QLabel::minimumSizeHint();
    return m_elided ? QSize(24, hint.height()) : hint;
}

void Label::paintEvent(QPaintEvent* event)
{
    if (!m_elided) return QLabel::paintEvent(event);
    const QString shown = fontMetrics().elidedText(text(), Qt::ElideRight, contentsRect().width());
    setToolTip(shown == text() ? QString() : text());
    QPainter painter(this);
    painter.setPen(palette().color(QPalette::WindowText));
    painter.setFont(font());
    painter.drawText(contentsRect(), static_cast<int>(alignment() | Qt::TextSingleLine), shown);
}

void Label::recolor()
{
    QPalette colors = palette();
    colors.setColor(QPalette::WindowText, theme().color(m_role));
    colors.setColor(QPalette::Text, theme().color(m_role));
    setPalette(colors);
}

} // namespace millrace::ui
