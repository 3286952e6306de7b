// The canvas's window onto the scene: pan, zoom, gestures with mouse and keyboard. What they do is a change of the
// document.
#pragma once

#include "ui/design/canvas_scene.h"

#include <QGraphicsView>
#include <memory>

namespace millrace::ui {

class Label;
class LinkGesture;
class Minimap;

class CanvasView : public QGraphicsView
{
    Q_OBJECT

public:
    explicit CanvasView(CanvasScene& scene, QWidget* parent = nullptr);
    ~CanvasView() override;

    void zoomBy(double factor);
    void fitToView();
    /// In the scene, on its grid: where the pointer is, else the middle of what is seen.
    QPointF placeForNew() const;
    /// Adds a node of the type there, or at `placeForNew`, and selects it.
    void addNode(const QString& type, const std::optional<QPointF>& at = {});
    void deleteSelection();
    void selectAll();
    /// Lets the selected node's outputs be linked from a menu of what takes them.
    void linkByMenu();

signals:
    void viewMoved();
    /// A node was double-clicked, or Enter was pressed on it.
    void nodeActivated(const QString& node);
    /// The empty canvas was double-clicked there (on the screen).
    void addWanted(const QPoint& screenPosition);

protected:
    void drawBackground(QPainter* painter, const QRectF& rect) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void keyReleaseEvent(QKeyEvent* event) override;
    bool focusNextPrevChild(bool next) override;
    void resizeEvent(QResizeEvent* event) override;
    void scrollContentsBy(int dx, int dy) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dragMoveEvent(QDragMoveEvent* event) override;
    void dropEvent(QDropEvent* event) override;

private:
    void commitMoves();
    void nudge(const QPointF& step);
    void refuse(const QString& reason, const QPoint& at);

    CanvasScene& m_scene;
    Minimap* m_minimap;
    Label* m_reason; ///< why a link may not end here, at the pointer
    std::unique_ptr<LinkGesture> m_link;
    std::optional<QPoint> m_panFrom;
    bool m_space = false;
};

} // namespace millrace::ui
