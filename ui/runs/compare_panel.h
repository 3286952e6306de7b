// What lies below the table: the curves of the chosen runs over each other, and what differs between the runs.
#pragma once

#include "ui/runs/runs_model.h"
#include "ui/runs/series_feed.h"

#include <QScrollArea>
#include <map>
#include <memory>

namespace millrace::ui {

class Card;
class ChartCard;
class DifferencesView;

/// The two metrics worth a curve: a loss and an accuracy of the validation rows, else of the training rows, else what
/// there is.
QStringList metricsToCompare(const std::vector<RunPtr>& runs);

class ComparePanel : public QScrollArea
{
    Q_OBJECT
public:
    explicit ComparePanel(Tracking& tracking, QWidget* parent = nullptr);

    /// The runs with the numbers of their colours.
    void setRuns(const std::vector<RunPtr>& runs, const QHash<QString, int>& chips);

private:
    void showCurves();

    Tracking& m_tracking;
    std::vector<RunPtr> m_runs;
    QHash<QString, int> m_chips;
    QStringList m_metrics;
    std::map<QString, std::unique_ptr<SeriesFeed>> m_feeds;
    std::vector<ChartCard*> m_charts;
    Card* m_differencesCard;
    DifferencesView* m_differences;
};

} // namespace millrace::ui
