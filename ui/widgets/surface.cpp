#include "ui/widgets/surface.h"

#include <QPainter>

namespace millrace::ui {

Surface::Surface(Role ground, Qt::Edges lines, QWidget* parent) : QWidget(parent), m_ground(ground), m_lines(lines)
{
    setAttribute(Qt::WA_OpaquePaintEvent);
    setContentsMargins(lines & Qt::LeftEdge ? 1 : 0, lines & Qt::TopEdge ? 1 : 0, lines & Qt::RightEdge ? 1 : 0,
                       lines & Qt::BottomEdge ? 1 : 0);
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void Surface::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.fillRect(rect(), theme().color(m_ground));
    const QColor line = theme().color(Role::Line);
    if (m_lines & Qt::LeftEdge) painter.fillRect(0, 0, 1, height(), line);
    if (m_lines & Qt::RightEdge) painter.fillRect(width() - 1, 0, 1, height(), line);
    if (m_lines & Qt::TopEdge) painter.fillRect(0, 0, width(), 1, line);
    if (m_lines & Qt::BottomEdge) painter.fillRect(0, height() - 1, width(), 1, line);
}

Separator::Separator(Qt::Orientation orientation, Role role, QWidget* parent) : QWidget(parent), m_role(role)
{
    if (orientation == Qt::Horizontal)
        setFixedHeight(1);
    else
        setFixedWidth(1);
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void Separator::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.fillRect(rect(), theme().color(m_role));
}

} // namespace millrace::ui
