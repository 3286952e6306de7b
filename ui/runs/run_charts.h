// The curves of one run: a chart for the loss, one for the accuracy, one for whatever else has a curve, and what the
// run used of the machine.
#pragma once

#include "ui/bridge/tracking.h"

#include <QWidget>
#include <map>
#include <memory>
#include <vector>

class QGridLayout;

namespace millrace::ui {

class ChartCard;
class SeriesFeed;

/// Metrics that belong into one chart: "train.loss" and "validation.loss".
struct ChartGroup
{
    QString title;
    QStringList names;
    bool operator==(const ChartGroup&) const = default;
};

/// Groups by what is measured (the name's last part): loss, accuracy, then the others by name. Metrics that are
/// measured once (test.…) have no curve.
std::vector<ChartGroup> chartGroups(const QStringList& series);

class RunCharts : public QWidget
{
    Q_OBJECT
public:
    explicit RunCharts(Tracking& tracking, QWidget* parent = nullptr);
    ~RunCharts() override;

    void setRun(const QString& run);
    /// The names of the metrics that have points by now.
    void setSeries(const QStringList& series);
    const std::vector<ChartCard*>& cards() const { return m_cards; }

private:
    void arrange();
    void showCurves();

    Tracking& m_tracking;
    QGridLayout* m_grid;
    std::unique_ptr<SeriesFeed> m_feed;
    std::vector<ChartGroup> m_groups;
    std::vector<ChartCard*> m_cards;
};

/// Processor and memory over time.
class SystemCharts : public QWidget
{
    Q_OBJECT
public:
    explicit SystemCharts(Tracking& tracking, QWidget* parent = nullptr);

    void setRun(const QString& run);
    void refresh();

private:
    void show(const Telemetry& telemetry);
    using QWidget::show;

    Tracking& m_tracking;
    QString m_run;
    Awaited m_awaited;
    ChartCard* m_processor;
    ChartCard* m_memory;
};

} // namespace millrace::ui
