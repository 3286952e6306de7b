// The page Runs of the window: all runs, or one of them.
#pragma once

#include "ui/bridge/tracking.h"

#include <QStackedWidget>

namespace millrace::ui {

class RunPage;
class RunsOverview;

class RunsPage : public QStackedWidget
{
    Q_OBJECT
public:
    explicit RunsPage(Tracking& tracking, QWidget* parent = nullptr);

    void showAll();
    void showRun(const QString& run);
    RunsOverview& overview() const { return *m_overview; }
    RunPage& runPage() const { return *m_run; }

signals:
    /// Open the quick start in Design: there are no runs yet.
    void quickStartRequested();
    /// Open this text as a new document: the pipeline of a run.
    void openInDesign(const QString& pipelineText, const QString& runName);

private:
    RunsOverview* m_overview;
    RunPage* m_run;
};

} // namespace millrace::ui
