// The page Models of the window: registered models, their versions, and trying one.
#pragma once

#include "ui/bridge/runner_answers.h"
#include "ui/bridge/tracking.h"

#include <QWidget>

class QLineEdit;
class QListWidget;
class QStackedWidget;
class QTableView;

namespace millrace::ui {

class FactsView;
class NoticeBar;
class PageHeader;
class TryIt;
class VersionModel;

class ModelsPage : public QWidget
{
    Q_OBJECT
public:
    ModelsPage(Tracking& tracking, RunnerAnswers& answers, QWidget* parent = nullptr);

    TryIt& tryIt() const { return *m_tryIt; }
    VersionModel& versions() const { return *m_versions; }

signals:
    /// Show the run that a version came from.
    void runRequested(const QString& run);
    void quickStartRequested();

private:
    QWidget* makeModelList();
    QWidget* makeMiddle();
    QWidget* makeSide();
    void refresh();
    void showModels(const std::vector<ModelRow>& models);
    void showVersions(const std::vector<ModelVersionRow>& versions);
    void selectModel();
    void selectVersion();
    const ModelVersionRow* selectedVersion() const;
    void setAlias();
    void showAliases(const ModelVersionRow& version);

    Tracking& m_tracking;
    PageHeader* m_header;
    NoticeBar* m_notice;
    QStackedWidget* m_states;
    QListWidget* m_list;
    VersionModel* m_versions;
    QTableView* m_table;
    TryIt* m_tryIt;
    FactsView* m_facts;
    FactsView* m_results;
    QWidget* m_aliases;
    QLineEdit* m_aliasEdit;
    QString m_model; ///< whose versions are shown
    qint64 m_selectedVersion = 0;
    Awaited m_modelsAwaited, m_versionsAwaited, m_action;
};

} // namespace millrace::ui
