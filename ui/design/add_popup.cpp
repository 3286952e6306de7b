#include "ui/design/add_popup.h"

#include "ui/design/node_palette.h"

#include <QLineEdit>
#include <QVBoxLayout>

namespace millrace::ui {

AddPopup::AddPopup(PipelineDocument& document, QWidget* parent) : QFrame(parent, Qt::Popup)
{
    setFixedSize(240, 360);
    setFrameShape(QFrame::Box);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(1, 1, 1, 1);
    m_palette = new NodePalette(document, this);
    m_palette->setMinimumWidth(0);
    m_palette->setMaximumWidth(QWIDGETSIZE_MAX);
    layout->addWidget(m_palette);
    connect(m_palette, &NodePalette::addRequested, this, [this](const QString& type) {
        hide();
        emit addRequested(type);
    });
}

void AddPopup::open(const Scope& scope, const QPoint& screenPosition)
{
    m_palette->setScope(scope);
    m_palette->searchField()->clear();
    move(screenPosition);
    show();
    m_palette->searchField()->setFocus();
}

} // namespace millrace::ui
