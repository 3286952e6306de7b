// Search to add, where the canvas was double-clicked: the palette in a popup.
#pragma once

#include "ui/document/pipeline_document.h"

#include <QFrame>

namespace millrace::ui {

class NodePalette;

class AddPopup : public QFrame
{
    Q_OBJECT

public:
    AddPopup(PipelineDocument& document, QWidget* parent);
    /// Shows it at the place on the screen, its search field ready to type in.
    void open(const Scope& scope, const QPoint& screenPosition);

signals:
    void addRequested(const QString& type);

private:
    NodePalette* m_palette;
};

} // namespace millrace::ui
