// The whole graph in small, at the corner of the canvas; a click goes there.
#pragma once

#include <QWidget>

namespace millrace::ui {

class CanvasScene;
class CanvasView;

class Minimap : public QWidget
{
    Q_OBJECT

public:
    Minimap(CanvasScene& scene, CanvasView& view);
    QSize sizeHint() const override { return {130, 92}; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;

private:
    /// From the scene to this widget.
    QTransform mapping() const;
    void goTo(const QPointF& position);

    CanvasScene& m_scene;
    CanvasView& m_view;
};

} // namespace millrace::ui
