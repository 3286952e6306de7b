// The palette at the left of the canvas: every node type by category, a search over them, Enter or a drag to add one.
#pragma once

#include "ui/document/pipeline_document.h"
#include "ui/widgets/surface.h"

class QLineEdit;

namespace millrace::ui {

class Label;
class PaletteModel;
class PaletteView;

class NodePalette : public Surface
{
    Q_OBJECT

public:
    explicit NodePalette(PipelineDocument& document, QWidget* parent = nullptr);

    /// In a model's layers other types can be added than in the pipeline.
    void setScope(const Scope& scope);
    QLineEdit* searchField() const { return m_search; }

signals:
    void addRequested(const QString& type);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QWidget* makeNothingFound();
    void search(const QString& query);
    void add(const QModelIndex& index);

    PaletteModel* m_model;
    QLineEdit* m_search;
    PaletteView* m_view;
    Label* m_nothing = nullptr;
    QWidget* m_nothingFound;
};

} // namespace millrace::ui
