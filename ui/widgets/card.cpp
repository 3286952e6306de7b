#include "ui/widgets/card.h"

#include "ui/theme/theme.h"
#include "ui/widgets/label.h"

#include <QHBoxLayout>
#include <QPainter>
#include <QVBoxLayout>

namespace millrace::ui {

Card::Card(const QString& title, QWidget* parent)
    : QWidget(parent), m_head(new QWidget), m_title(new Label(title, TextStyle::Strong)),
      m_caption(new Label({}, TextStyle::Caption, Role::Muted)), m_body(new QVBoxLayout)
{
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(12, 12, 12, 12);
    layout->setSpacing(8);
    auto* head = new QHBoxLayout(m_head);
    head->setContentsMargins(0, 0, 0, 0);
    head->setSpacing(8);
    head->addWidget(m_title);
    head->addStretch(1);
    head->addWidget(m_caption);
    layout->addWidget(m_head);
    layout->addLayout(m_body, 1);
    m_body->setSpacing(8);
    m_head->setVisible(!title.isEmpty());
    connect(&theme(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void Card::setTitle(const QString& title)
{
    m_title->setText(title);
    m_head->setVisible(!title.isEmpty());
}

void Card::setCaption(const QString& caption)
{
    m_caption->setText(caption);
}

void Card::addAction(QWidget* widget)
{
    m_head->layout()->addWidget(widget);
    m_head->show();
}

void Card::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(theme().color(Role::Line), 1));
    painter.setBrush(theme().color(Role::Raised));
    painter.drawRoundedRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5), measure::kCardRadius, measure::kCardRadius);
}

} // namespace millrace::ui
