// The page of one run: how far it is, its curves, confusion matrix, log and system metrics, and what can be done.
#pragma once

#include "ui/bridge/tracking.h"
#include "ui/document/run_progress.h"

#include <QWidget>

class QAction;
class QVBoxLayout;

namespace millrace::ui {

class Card;
class ConfusionView;
class Label;
class LogView;
class NoticeBar;
class PageHeader;
class ProgressLine;
class RunCharts;
class RunSide;
class SignLabel;
class SystemCharts;

class RunPage : public QWidget
{
    Q_OBJECT
public:
    explicit RunPage(Tracking& tracking, QWidget* parent = nullptr);

    void setRun(const QString& run);
    QString run() const { return m_run; }
    /// What the page can do: Stop, Resume, Open in Design, Export, Delete; disabled where it makes no sense.
    const QList<QAction*>& actions() const { return m_actions; }
    using QWidget::actions;
    /// Writes the run's metrics as CSV.
    void exportTo(const QString& fileName);

signals:
    void backRequested();
    void openInDesign(const QString& pipelineText, const QString& runName);

private:
    void makeHeader();
    QWidget* makeProgress();
    QWidget* makeBody();
    void refresh();
    void show(const RunDetails& run);
    using QWidget::show;
    void showProgress(const RunProgress& progress);
    void updateActions();
    void askWhereToExport();
    void askToDelete();
    void fail(const QString& text);

    Tracking& m_tracking;
    QString m_run;
    RunDetails m_detail;
    Awaited m_awaited, m_action;
    bool m_stale = false;
    QString m_actionDone; ///< what the notice says when the action succeeded; empty: nothing

    PageHeader* m_header;
    SignLabel* m_sign;
    NoticeBar* m_notice;
    QList<QAction*> m_actions;
    QAction* m_stop;
    QAction* m_resume;
    QAction* m_openInDesign;
    QAction* m_export;
    QAction* m_delete;
    QWidget* m_progressStrip;
    Label* m_progressText;
    ProgressLine* m_progressLine;
    Label* m_progressRate;
    RunCharts* m_charts;
    Card* m_confusionCard;
    ConfusionView* m_confusion;
    SystemCharts* m_system;
    LogView* m_log;
    RunSide* m_side;
};

} // namespace millrace::ui
