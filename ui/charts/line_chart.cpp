#include "ui/charts/line_chart.h"

#include "ui/charts/chart_overlay.h"
#include "ui/theme/theme.h"

#include <algorithm>
#include <cmath>

namespace millrace::ui {

LineChart::LineChart(QWidget* parent)
    : QWidget(parent), m_plot(new QCustomPlot(this)), m_overlay(new ChartOverlay(*this)), m_xTicker(new AxisTicker),
      m_yTicker(new AxisTicker), m_xText(numberText), m_yText(numberText)
{
    m_plot->setFocusPolicy(Qt::NoFocus);
    // segment by segment: a path that crosses itself thousands of times takes Qt most of a second
    m_plot->setPlottingHint(QCP::phFastPolylines, true);
    m_plot->setAttribute(Qt::WA_TransparentForMouseEvents); // the overlay takes them
    m_plot->xAxis->setTicker(m_xTicker);
    m_plot->yAxis->setTicker(m_yTicker);
    m_plot->axisRect()->setMinimumMargins(QMargins(8, 6, 10, 4));
    for (QCPAxis* axis : {m_plot->xAxis, m_plot->yAxis}) {
        axis->setBasePen(Qt::NoPen);
        axis->setTickPen(Qt::NoPen);
        axis->setSubTickPen(Qt::NoPen);
        axis->setTickLength(0);
        axis->grid()->setZeroLinePen(Qt::NoPen);
    }
    m_plot->xAxis->grid()->setVisible(false);
    m_plot->xAxis->setTickLabelPadding(6);
    m_plot->yAxis->setTickLabelPadding(8);
    m_plot->xAxis->setLabelPadding(2);
    connect(&theme(), &Theme::changed, this, &LineChart::recolor);
    recolor();
}

void LineChart::setCurves(std::vector<Curve> curves)
{
    m_curves = std::move(curves);
    rebuild();
}

void LineChart::setXLabel(const QString& label)
{
    m_plot->xAxis->setLabel(label);
}

void LineChart::setWholeX(bool whole)
{
    m_xTicker->setWholeNumbers(whole);
}

void LineChart::setYText(NumberText text)
{
    m_yText = text;
    m_yTicker->setText(std::move(text));
}

void LineChart::setXText(NumberText text)
{
    m_xText = text;
    m_xTicker->setText(std::move(text));
}

void LineChart::setYFrom(double value)
{
    m_yFrom = value;
}

void LineChart::setXFrom(double value)
{
    m_xFrom = value;
}

void LineChart::setSmoothing(double weight)
{
    if (weight == m_smoothing) return;
    m_smoothing = weight;
    rebuild();
}

void LineChart::setLogarithmic(bool logarithmic)
{
    if (logarithmic == m_logarithmic) return;
    m_logarithmic = logarithmic;
    m_yTicker->setLogarithmic(logarithmic);
    m_plot->yAxis->setScaleType(logarithmic ? QCPAxis::stLogarithmic : QCPAxis::stLinear);
    rebuild();
}

void LineChart::setCrosshair(std::optional<double> x)
{
    if (x == m_crosshair) return;
    m_crosshair = x;
    m_overlay->update();
    emit readingsChanged();
}

void LineChart::moveCrosshair(std::optional<double> x)
{
    setCrosshair(x);
    emit crosshairMoved(x);
}

void LineChart::stepCrosshair(int direction)
{
    const auto curve = std::find_if(m_curves.begin(), m_curves.end(), [](const Curve& c) { return !c.points.empty(); });
    if (curve == m_curves.end()) return;
    const auto& xs = curve->points.x;
    if (!m_crosshair) return moveCrosshair(direction > 0 ? xs.front() : xs.back());
    const std::size_t here = nearestPoint(curve->points, *m_crosshair, 1e300).value_or(0);
    const bool atEnd = direction > 0 ? here + 1 >= xs.size() : here == 0;
    moveCrosshair(xs[atEnd ? here : here + static_cast<std::size_t>(direction)]);
}

std::optional<Reading> LineChart::readingAt(std::size_t index, double x) const
{
    const Curve& curve = m_curves[index];
    const double tolerance = m_plot->xAxis->range().size() * 0.04;
    const auto at = nearestPoint(curve.points, x, tolerance);
    if (!at) return std::nullopt;
    return Reading{curve.name, curve.color, curve.points.x[*at],
                   m_smoothed.empty() ? curve.points.y[*at] : m_smoothed[index][*at]};
}

std::vector<Reading> LineChart::readings() const
{
    std::vector<Reading> readings;
    for (std::size_t i = 0; i < m_curves.size(); ++i) {
        if (m_curves[i].points.empty()) continue;
        if (const auto reading = readingAt(i, m_crosshair.value_or(m_curves[i].points.x.back())))
            readings.push_back(*reading);
    }
    return readings;
}

void LineChart::recolor()
{
    m_plot->setBackground(QBrush(theme().color(Role::Raised)));
    const QPen hairline(theme().color(Role::Hairline), 1);
    const QPen line(theme().color(Role::Line), 1);
    for (QCPAxis* axis : {m_plot->xAxis, m_plot->yAxis}) {
        axis->grid()->setPen(theme().isDark() ? line : hairline);
        axis->setTickLabelFont(theme().font(TextStyle::Caption));
        axis->setTickLabelColor(theme().color(Role::Muted));
        axis->setLabelFont(theme().font(TextStyle::Caption));
        axis->setLabelColor(theme().color(Role::Muted));
    }
    rebuild();
}

void LineChart::rebuild()
{
    m_smoothed.clear();
    if (m_smoothing > 0) {
        for (const Curve& curve : m_curves) m_smoothed.push_back(smoothed(curve.points.y, m_smoothing));
    }
    // while smoothed, the raw points stay behind as a shade
    const std::size_t graphs = m_curves.size() * (m_smoothed.empty() ? 1 : 2);
    while (static_cast<std::size_t>(m_plot->graphCount()) > graphs) m_plot->removeGraph(m_plot->graphCount() - 1);
    while (static_cast<std::size_t>(m_plot->graphCount()) < graphs) m_plot->addGraph()->setAdaptiveSampling(false);
    fitAxes();
    draw();
    emit readingsChanged();
}

void LineChart::fitAxes()
{
    double left = INFINITY, right = -INFINITY, low = INFINITY, high = -INFINITY;
    for (const Curve& curve : m_curves) {
        if (curve.points.empty()) continue;
        left = std::min(left, curve.points.x.front());
        right = std::max(right, curve.points.x.back());
        for (const double y : curve.points.y) {
            if (!std::isfinite(y) || (m_logarithmic && y <= 0)) continue;
            low = std::min(low, y);
            high = std::max(high, y);
        }
    }
    if (!(right >= left)) left = 0, right = 1;
    if (!(high >= low)) low = m_logarithmic ? 0.1 : 0, high = 1;
    if (m_xFrom) left = std::min(left, *m_xFrom);
    // a single point stands in the middle, or a little beside the start
    if (right == left && m_xFrom) left -= 0.04, right += 1;
    if (right == left) left -= 0.5, right += 0.5;
    m_wholeX = QCPRange(left, right);
    m_plot->xAxis->setRange(m_zoomed.value_or(m_wholeX));
    if (m_logarithmic) {
        m_plot->yAxis->setRange(low / 1.1, high * 1.1);
        return;
    }
    if (m_yFrom) low = std::min(low, *m_yFrom);
    const double margin = high > low ? (high - low) * 0.05 : std::max(std::abs(high) * 0.1, 1e-12);
    // a curve that comes near zero stands on it: the distance to zero is then worth seeing
    const bool fromZero = low >= 0 && low < 0.3 * high;
    m_plot->yAxis->setRange(
        fromZero || (m_yFrom && low == *m_yFrom) ? std::min(low, fromZero ? 0.0 : low) : low - margin, high + margin);
}

void LineChart::draw()
{
    const QCPRange range = m_plot->xAxis->range();
    const int pixels = std::max(50, m_plot->width());
    const auto show = [&](int graph, const Points& points, QPen pen) {
        const Points reduced = reduceToPixels(points, range.lower, range.upper, pixels);
        QCPGraph& target = *m_plot->graph(graph);
        // where every pixel column is full, a hair is enough, and drawn several times as quickly
        const bool dense = reduced.size() > static_cast<std::size_t>(pixels);
        if (dense) pen.setWidthF(1);
        target.setAntialiased(!dense);
        target.setPen(pen);
        // one point has no line: it is shown as a dot
        target.setScatterStyle(reduced.size() == 1 ? QCPScatterStyle(QCPScatterStyle::ssDisc, 6) : QCPScatterStyle());
        target.setData(QVector<double>(reduced.x.begin(), reduced.x.end()),
                       QVector<double>(reduced.y.begin(), reduced.y.end()), true);
    };
    const int count = static_cast<int>(m_curves.size());
    for (int i = 0; i < count; ++i) {
        const Curve& curve = m_curves[static_cast<std::size_t>(i)];
        QColor color = theme().run(curve.color);
        QPen pen(color, 1.8);
        pen.setCapStyle(Qt::RoundCap); // segments are drawn one by one
        if (m_smoothed.empty()) {
            show(i, curve.points, pen);
            continue;
        }
        show(count + i, {curve.points.x, m_smoothed[static_cast<std::size_t>(i)]}, pen);
        color.setAlphaF(0.25f);
        show(i, curve.points, QPen(color, 1.2));
    }
    m_plot->replot(QCustomPlot::rpQueuedReplot);
    m_overlay->update();
}

void LineChart::zoom(double factor, double around)
{
    QCPRange range = m_plot->xAxis->range();
    range.lower = std::max(m_wholeX.lower, around + (range.lower - around) * factor);
    range.upper = std::min(m_wholeX.upper, around + (range.upper - around) * factor);
    if (range.size() < m_wholeX.size() * 1e-6) return;
    m_zoomed = range.size() < m_wholeX.size() * 0.999 ? std::optional(range) : std::nullopt;
    m_plot->xAxis->setRange(m_zoomed.value_or(m_wholeX));
    draw();
}

void LineChart::resetZoom()
{
    m_zoomed.reset();
    m_plot->xAxis->setRange(m_wholeX);
    draw();
}

void LineChart::resizeEvent(QResizeEvent*)
{
    m_plot->setGeometry(rect());
    m_overlay->setGeometry(rect());
    m_overlay->raise();
    draw();
}

} // namespace millrace::ui
