// The curves of one run: a chart for the loss, one for the accuracy, one for whatever else has a curve, and what the
// run used of the machine.
#pragma once

#include "ui/bridge/tracking.h"

#include <QWidget>
#include <map>
#include <memory>
#include <vector>

class QBoxLayout;

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

class RunCharts : public QObject
{
    Q_OBJECT
public:
    explicit RunCharts(Tracking& tracking, QObject* parent = nullptr);
    ~RunCharts() override;

    /// The two charts that are looked at first, and the rest; whoever shows them owns them.
    QWidget& main() const { return *m_main; }
    QWidget& others() const { return *m_others; }

    void setRun(const QString& run);
    /// The names of the metrics that have points by now.
    void setSeries(const QStringList& series);
    const std::vector<ChartCard*>& cards() const { return m_cards; }

private:
    void arrange();
    void showCurves();

    Tracking& m_tracking;
    QWidget* m_main;
    QWidget* m_others;
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
    /// One above the other, beside something high, or side by side.
    void setStacked(bool stacked);

private:
    void show(const Telemetry& telemetry);
    using QWidget::show;

    Tracking& m_tracking;
    QString m_run;
    Awaited m_awaited;
    ChartCard* m_processor;
    ChartCard* m_memory;
    QBoxLayout* m_layout;
};

} // namespace millrace::ui
