// The page Design: palette, canvas, properties; the pipeline's file, and running it.
#pragma once

#include "ui/document/document_files.h"
#include "ui/document/pipeline_document.h"

#include <QAction>
#include <QWidget>

class QCheckBox;
class QMenu;
class QPushButton;

namespace millrace::ui {

class AddPopup;
class CanvasScene;
class CanvasView;
class EmptyState;
class NodePalette;
class NoticeBar;
class PageHeader;
class PropertyPanel;

class DesignPage : public QWidget
{
    Q_OBJECT

public:
    DesignPage(PipelineDocument& document, DocumentFiles& files, QWidget* parent = nullptr);

    /// Every action of the page, for the command palette. Their shortcuts hold while the page is shown; those that act
    /// on the selection only while the canvas has the focus.
    QList<QAction*> commands() const { return m_commands; }
    /// Goes into its graph, selects the node, puts the cursor into the parameter's field.
    void showProblem(const ProblemLine& problem);
    /// Of the run of this document; an empty value takes the states away.
    void showRunProgress(const RunProgress& progress);

    CanvasScene& scene() const { return *m_scene; }
    CanvasView& view() const { return *m_view; }
    PropertyPanel& properties() const { return *m_properties; }
    NodePalette& palette() const { return *m_palette; }
    QAction* runAction() const { return m_run; }
    /// Shows the choice to run on the GPU; without this call there is none.
    void offerGpu();
    /// What runs are to compute on, as a job says it.
    QString device() const;

signals:
    void runRequested();
    void stopRequested(const QString& run);

private:
    QWidget* makeBody();
    void makeFileActions();
    void makeEditActions();
    void makeViewActions();
    void makeRunActions();
    QAction* add(const QString& text, const QKeySequence& shortcut, const QString& tip, std::function<void()> slot);
    void connectSelection();
    /// Goes into the model's layers; of a model of one node only after it was asked whether it becomes Layers.
    void openLayers(const QString& node);
    /// The same without asking.
    void openAsLayers(const std::string& node);
    void showMenu(const QPoint& at);
    void rename();
    void copy();
    void paste();
    void duplicate();
    void chooseFileToOpen();
    void chooseFileToSave();
    void fillRecentMenu();
    void updateHeader();
    void updateActions();

    PipelineDocument& m_document;
    DocumentFiles& m_files;
    PageHeader* m_header;
    QPushButton* m_back;
    NoticeBar* m_notice;
    NoticeBar* m_conversion; ///< asks whether a one-node model becomes layers
    NodePalette* m_palette;
    CanvasScene* m_scene;
    CanvasView* m_view;
    EmptyState* m_empty;
    PropertyPanel* m_properties;
    AddPopup* m_addPopup;
    QMenu* m_recent;
    QList<QAction*> m_commands;
    QCheckBox* m_gpu = nullptr; ///< hidden where no GPU is offered
    QAction *m_run = nullptr, *m_stop = nullptr, *m_undo = nullptr, *m_redo = nullptr, *m_backAction = nullptr;
    QAction* m_openAsLayers = nullptr;
    QList<QAction*> m_forSelection; ///< enabled while something is selected
    std::string m_convertNode;      ///< the model node that m_conversion is about
};

} // namespace millrace::ui
