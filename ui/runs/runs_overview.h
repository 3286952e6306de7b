// The page of all runs: filter, table, and below it the curves and differences of the selected ones.
#pragma once

#include "ui/bridge/tracking.h"
#include "ui/runs/runs_model.h"

#include <QSet>
#include <QTimer>
#include <QWidget>

class QPushButton;
class QSplitter;
class QStackedWidget;

namespace millrace::ui {

class ComparePanel;
class EmptyState;
class FilterField;
class NoticeBar;
class PageHeader;
class RunsTable;

class RunsOverview : public QWidget
{
    Q_OBJECT
public:
    explicit RunsOverview(Tracking& tracking, QWidget* parent = nullptr);

    RunsModel& model() const { return *m_model; }
    RunsTable& table() const { return *m_table; }
    /// Runs whose rows are selected, in the order of the table; at most as many as there are colours.
    std::vector<RunPtr> selectedRuns() const;
    void setFilterText(const QString& text);
    void focusFilter();

signals:
    void openRequested(const QString& run);
    void quickStartRequested();

private:
    void makeFilterRow(QWidget& row);
    void makeStates();
    void showAnswer(RequestId request, const RunList& runs);
    void updateState();
    void updateColumns();
    void fillColumnMenu(QMenu& menu);
    void toggleColumn(const RunColumn& column, bool on);
    void keepSelection();
    void restoreSelection();
    void updateComparison();
    void askToDelete();

    Tracking& m_tracking;
    RunsModel* m_model;
    PageHeader* m_header;
    NoticeBar* m_notice;
    FilterField* m_filter;
    QPushButton* m_columnsButton;
    RunsTable* m_table;
    ComparePanel* m_compare;
    QSplitter* m_splitter;
    QStackedWidget* m_states;
    QWidget* m_loading;
    EmptyState* m_none;
    EmptyState* m_noMatch;
    EmptyState* m_broken;
    Awaited m_list;
    QSet<RequestId> m_deletions; ///< under way
    bool m_loaded = false, m_failed = false;
    bool m_ownColumns = false; ///< the user chose columns: they stay
    QHash<QString, int> m_chips;
    QStringList m_keptSelection;
    QString m_keptCurrent;
    QTimer m_minute, m_compareSoon;
};

} // namespace millrace::ui
