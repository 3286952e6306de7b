// The one window: rail, pages, strip, command palette; what the pages ask of each other meets here.
#pragma once

#include "ui/bridge/runner_answers.h"
#include "ui/bridge/tracking.h"
#include "ui/document/document_files.h"
#include "ui/document/pipeline_document.h"

#include <QMainWindow>

class QStackedWidget;

namespace millrace::ui {

class CommandPalette;
class DesignPage;
class HostMonitor;
class ModelsPage;
class NoticeBar;
class Rail;
class RunsPage;
class StatusStrip;

/// What the window stands on; all of it outlives the window.
struct WindowParts
{
    PipelineDocument& document;
    DocumentFiles& files;
    Tracking& tracking;
    RunnerAnswers& answers;
    QString quickStart;  ///< path of the quick start's template
    bool hasGpu = false; ///< there is an NVIDIA driver to run with
};

class MainWindow : public QMainWindow
{
    Q_OBJECT

public:
    enum Page
    {
        Design,
        Runs,
        Models
    };

    explicit MainWindow(WindowParts parts);
    ~MainWindow() override;

    void showPage(Page page);
    Page page() const;
    DesignPage& designPage() const { return *m_design; }
    RunsPage& runsPage() const { return *m_runs; }
    ModelsPage& modelsPage() const { return *m_models; }
    StatusStrip& strip() const { return *m_strip; }
    CommandPalette& commandPalette() const { return *m_palette; }
    /// Every action that the palette lists.
    QList<QAction*> commands() const;

signals:
    /// The first frame has been painted.
    void shown();

protected:
    void closeEvent(QCloseEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QWidget* makePages();
    void makeActions();
    void connectDocument();
    void connectRuns();
    void launch();
    void showProgress(const RunProgress& progress);
    void openPipelineText(const QString& text, const QString& name);
    void updateTitle();
    void restorePlace();
    QString settingsFile() const;

    WindowParts m_parts;
    Rail* m_rail;
    QStackedWidget* m_pages;
    DesignPage* m_design;
    RunsPage* m_runs;
    ModelsPage* m_models;
    NoticeBar* m_notice;
    StatusStrip* m_strip;
    CommandPalette* m_palette;
    HostMonitor* m_host;
    QList<QAction*> m_actions;
    RequestId m_launchRequest = 0; ///< the launch whose answer is waited for
    QString m_documentRun;         ///< the run that was launched from this document last
};

} // namespace millrace::ui
