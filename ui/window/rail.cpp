#include "ui/window/rail.h"

#include "ui/theme/theme.h"

#include <QPainter>
#include <QVBoxLayout>

namespace millrace::ui {

RailButton::RailButton(const QString& text, const QString& iconName, QWidget* parent)
    : QAbstractButton(parent), m_iconName(iconName)
{
    setText(text);
    setAccessibleName(text);
    setCheckable(true);
    setFocusPolicy(Qt::TabFocus);
    setFixedSize(sizeHint());
}

void RailButton::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    const QRectF area = QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5);
    if (isChecked() || underMouse()) {
        painter.setPen(Qt::NoPen);
        painter.setBrush(theme().color(isChecked() ? Role::AccentSoft : Role::Hairline));
        painter.drawRoundedRect(area, 8, 8);
    }
    if (hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme().color(Role::Accent), 2));
        painter.drawRoundedRect(area.adjusted(1, 1, -1, -1), 7, 7);
    }
    const Role role = isChecked() ? Role::Accent : Role::Muted;
    ui::icon(m_iconName, role).paint(&painter, QRect((width() - 20) / 2, 8, 20, 20));
    painter.setPen(theme().color(role));
    painter.setFont(theme().font(isChecked() ? TextStyle::CaptionStrong : TextStyle::Caption));
    painter.drawText(QRect(0, 32, width(), 16), Qt::AlignCenter, text());
}

void RailButton::enterEvent(QEnterEvent* event)
{
    QAbstractButton::enterEvent(event);
    update();
}

void RailButton::leaveEvent(QEvent* event)
{
    QAbstractButton::leaveEvent(event);
    update();
}

Rail::Rail(QWidget* parent) : Surface(Role::Surface, Qt::RightEdge, parent)
{
    setFixedWidth(measure::kRail);
    m_layout = new QVBoxLayout(this);
    m_layout->setContentsMargins(6, 8, 6, 8);
    m_layout->setSpacing(4);
    m_layout->addStretch();
    m_group.setExclusive(true);
    connect(&m_group, &QButtonGroup::idClicked, this, &Rail::pageChosen);
    connect(&theme(), &Theme::changed, this, [this] {
        for (QAbstractButton* button : m_group.buttons()) button->update();
    });
}

void Rail::addPage(const QString& text, const QString& iconName, const QString& toolTip)
{
    auto* button = new RailButton(text, iconName, this);
    button->setToolTip(toolTip);
    const int page = static_cast<int>(m_group.buttons().size());
    m_group.addButton(button, page);
    m_layout->insertWidget(page, button);
}

void Rail::setCurrent(int page)
{
    if (QAbstractButton* button = m_group.button(page)) button->setChecked(true);
}

} // namespace millrace::ui
