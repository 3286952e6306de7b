// Paper to draw a digit on, with the mouse or with the arrow keys, and beside it the picture that the network sees.
#pragma once

#include "ui/models/drawing.h"

#include <QWidget>

namespace millrace::ui {

class DrawingPad : public QWidget
{
    Q_OBJECT
public:
    explicit DrawingPad(QWidget* parent = nullptr);

    const std::vector<Stroke>& strokes() const { return m_strokes; }
    bool isEmpty() const { return m_strokes.empty(); }
    void clear();
    QSize sizeHint() const override { return {288, 288}; }

signals:
    void changed();

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    void begin(const QPointF& at);
    void extend(const QPointF& to);
    void moveKeyPen(const QPointF& by);

    std::vector<Stroke> m_strokes;
    bool m_drawing = false;
    bool m_keyPenDown = false, m_keyPenShown = false;
    QPointF m_keyPen{0.5, 0.5}; ///< share of the paper
};

/// The pixels as the network takes them.
class PicturePreview : public QWidget
{
    Q_OBJECT
public:
    explicit PicturePreview(QWidget* parent = nullptr);
    void setPicture(int width, int height, std::vector<float> pixels);
    QSize sizeHint() const override { return {104, 104}; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    int m_width = 0, m_height = 0;
    std::vector<float> m_pixels;
};

} // namespace millrace::ui
