// Curves over a common x axis: drawn as they arrive, read with a crosshair by mouse or keyboard.
#pragma once

#include "ui/charts/axis_ticker.h"
#include "ui/charts/series.h"

#include <QString>
#include <QWidget>
#include <optional>
#include <vector>

namespace millrace::ui {

struct Curve
{
    QString name;
    int color = 0; ///< as Theme::run
    Points points;
};

/// What the crosshair reads of one curve.
struct Reading
{
    QString name;
    int color = 0;
    double x = 0, y = 0;
};

class ChartOverlay;

class LineChart : public QWidget
{
    Q_OBJECT
public:
    explicit LineChart(QWidget* parent = nullptr);

    void setCurves(std::vector<Curve> curves);
    const std::vector<Curve>& curves() const { return m_curves; }
    /// What stands below the x axis, such as "epoch".
    void setXLabel(const QString& label);
    void setWholeX(bool whole);
    void setYText(NumberText text);
    void setXText(NumberText text);
    QString yText(double value) const { return m_yText(value); }
    /// The y axis always shows this value, such as 0 for a share of a processor.
    void setYFrom(double value);
    void setXFrom(double value);

    double smoothing() const { return m_smoothing; }
    void setSmoothing(double weight);
    bool isLogarithmic() const { return m_logarithmic; }
    void setLogarithmic(bool logarithmic);

    /// Shows the crosshair at x, or none.
    void setCrosshair(std::optional<double> x);
    std::optional<double> crosshair() const { return m_crosshair; }
    /// What each curve has nearest to the crosshair, else its last values. Of smoothed curves the smoothed values.
    std::vector<Reading> readings() const;

    QSize sizeHint() const override { return {420, 220}; }
    QSize minimumSizeHint() const override { return {160, 120}; }

signals:
    /// The crosshair was moved here by the user; for charts that move together.
    void crosshairMoved(std::optional<double> x);
    void readingsChanged();

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    friend class ChartOverlay;

    void recolor();
    /// Smooths all points, then fits the axes and draws.
    void rebuild();
    void fitAxes();
    /// Reduces what is in range to the pixels and draws it.
    void draw();
    void zoom(double factor, double around);
    void resetZoom();
    void moveCrosshair(std::optional<double> x);
    /// To the next (+1) or previous (-1) point of the first curve that has one.
    void stepCrosshair(int direction);
    std::optional<Reading> readingAt(std::size_t curve, double x) const;

    QCustomPlot* m_plot;
    ChartOverlay* m_overlay;
    QSharedPointer<AxisTicker> m_xTicker, m_yTicker;
    NumberText m_xText, m_yText;
    std::vector<Curve> m_curves;
    std::vector<std::vector<double>> m_smoothed; ///< per curve; empty while smoothing is 0
    QCPRange m_wholeX{0, 1};
    std::optional<QCPRange> m_zoomed;
    std::optional<double> m_crosshair, m_xFrom, m_yFrom;
    double m_smoothing = 0;
    bool m_logarithmic = false;
};

} // namespace millrace::ui
