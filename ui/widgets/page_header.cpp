#include "ui/widgets/page_header.h"

#include "ui/widgets/label.h"

#include <QHBoxLayout>

namespace millrace::ui {

PageHeader::PageHeader(const QString& title, QWidget* parent)
    : Surface(Role::Surface, Qt::BottomEdge, parent), m_layout(new QHBoxLayout(this)),
      m_title(new Label(title, TextStyle::Title)), m_subtitle(new Label({}, TextStyle::Caption, Role::Muted))
{
    setFixedHeight(measure::kHeader);
    m_layout->setContentsMargins(measure::kMargin, 0, measure::kMargin, 0);
    m_layout->setSpacing(12);
    m_subtitle->setElided(true);
    m_subtitle->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Preferred);
    m_layout->addWidget(m_title);
    m_layout->addWidget(m_subtitle, 1);
}

QString PageHeader::title() const
{
    return m_title->text();
}

void PageHeader::setTitle(const QString& title)
{
    m_title->setText(title);
    m_title->setVisible(!title.isEmpty());
}

void PageHeader::setSubtitle(const QString& subtitle)
{
    m_subtitle->setText(subtitle);
}

void PageHeader::addAction(QWidget* widget)
{
    m_layout->addWidget(widget, 0, Qt::AlignVCenter);
}

void PageHeader::addLeading(QWidget* widget)
{
    m_layout->insertWidget(m_leading++, widget, 0, Qt::AlignVCenter);
}

} // namespace millrace::ui
