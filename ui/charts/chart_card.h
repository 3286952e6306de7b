// A chart in its card: title, legend with the values at the crosshair, and the toggles for smoothing and a log axis.
#pragma once

#include "ui/charts/line_chart.h"
#include "ui/widgets/card.h"

class QPushButton;
class QSlider;

namespace millrace::ui {

class ChartLegend;

class ChartCard : public Card
{
    Q_OBJECT
public:
    /// With the toggles for curves that are learnt; without for what a machine was measured to do.
    enum class Toggles
    {
        None,
        SmoothingAndLog
    };

    ChartCard(const QString& title, Toggles toggles, QWidget* parent = nullptr);

    LineChart& chart() const { return *m_chart; }
    /// Names the curves below the title; off where something beside the chart does already.
    void setLegendVisible(bool visible);

private:
    void makeToggles();
    void updateToggles();

    LineChart* m_chart;
    ChartLegend* m_legend;
    QPushButton* m_smoothing = nullptr;
    QPushButton* m_log = nullptr;
    QSlider* m_slider = nullptr;
};

/// One line of names in their colours with the values that the chart reads.
class ChartLegend : public QWidget
{
    Q_OBJECT
public:
    explicit ChartLegend(LineChart& chart, QWidget* parent = nullptr);
    QSize sizeHint() const override { return {200, 16}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    LineChart& m_chart;
};

} // namespace millrace::ui
