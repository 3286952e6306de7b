#include "ui/widgets/progress_line.h"

#include "ui/theme/theme.h"

#include <QPainter>
#include <algorithm>

namespace millrace::ui {

ProgressLine::ProgressLine(QWidget* parent) : QWidget(parent)
{
    setFixedHeight(4);
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ProgressLine::setFraction(double fraction)
{
    m_fraction = std::min(fraction, 1.0);
    setAccessibleName(m_fraction < 0 ? tr("Progress unknown") : tr("%1 % done").arg(qRound(m_fraction * 100)));
    update();
}

void ProgressLine::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme().color(Role::Line));
    painter.drawRoundedRect(rect(), 2, 2);
    if (m_fraction <= 0) return;
    painter.setBrush(theme().color(Role::Accent));
    painter.drawRoundedRect(QRectF(0, 0, std::max(4.0, width() * m_fraction), height()), 2, 2);
}

} // namespace millrace::ui
