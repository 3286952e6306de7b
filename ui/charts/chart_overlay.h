// What lies over a chart and changes with every move of the mouse, so that the curves need not be drawn anew:
// the crosshair, its dots and the box that reads every curve.
#pragma once

#include <QWidget>

namespace millrace::ui {

class LineChart;

class ChartOverlay : public QWidget
{
    Q_OBJECT
public:
    explicit ChartOverlay(LineChart& chart);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void paintBox(QPainter& painter, double atX);

    LineChart& m_chart;
};

} // namespace millrace::ui
