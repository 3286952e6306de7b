#include "ui/models/drawing.h"

#include <QImage>
#include <QPainter>
#include <algorithm>
#include <cmath>

namespace millrace::ui {

namespace {

constexpr int kFineness = 4;

// Shares of the picture's height or width. Those of the small picture were chosen among some twenty by how often the
// quick start's network recognised digits of drawn strokes in them: 189 of 193, open fours aside, which the training
// digits do not have.
struct Fit
{
    double boxWidth = 0, boxHeight = 0, pen = 0;
    bool byMass = false;
};

Fit fitFor(int height)
{
    return height < 20 ? Fit{0.66, 1.0, 0.203, false} : Fit{20.0 / 28, 20.0 / 28, 2.6 / 28, true};
}

QRectF boundsOf(const std::vector<Stroke>& strokes)
{
    double left = INFINITY, right = -INFINITY, top = INFINITY, bottom = -INFINITY;
    for (const Stroke& stroke : strokes) {
        for (const QPointF& point : stroke) {
            left = std::min(left, point.x());
            right = std::max(right, point.x());
            top = std::min(top, point.y());
            bottom = std::max(bottom, point.y());
        }
    }
    return right >= left ? QRectF(left, top, right - left, bottom - top) : QRectF();
}

QImage draw(const std::vector<Stroke>& strokes, int width, int height, const Fit& fit)
{
    QImage image(width, height, QImage::Format_Grayscale8);
    image.fill(0);
    const QRectF bounds = boundsOf(strokes);
    const double pen = fit.pen * height;
    const double roomX = fit.boxWidth * width - pen, roomY = fit.boxHeight * height - pen;
    // too wide a shape is made narrower, up to half again, before it is made smaller
    const double scaleY =
        std::min(roomY / std::max(bounds.height(), 1e-9), 1.5 * roomX / std::max(bounds.width(), 1e-9));
    const double scaleX = std::min(scaleY, roomX / std::max(bounds.width(), 1e-9));
    QPainter painter(&image);
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(QPen(Qt::white, pen, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    for (const Stroke& stroke : strokes) {
        QPolygonF placed;
        for (const QPointF& point : stroke) {
            placed << QPointF((point.x() - bounds.center().x()) * scaleX + width / 2.0,
                              (point.y() - bounds.center().y()) * scaleY + height / 2.0);
        }
        if (placed.size() == 1) {
            painter.drawPoint(placed.front());
        } else {
            painter.drawPolyline(placed);
        }
    }
    return image;
}

QImage centredByMass(const QImage& image)
{
    double mass = 0, x = 0, y = 0;
    for (int row = 0; row < image.height(); ++row) {
        for (int column = 0; column < image.width(); ++column) {
            const double ink = image.constScanLine(row)[column];
            mass += ink;
            x += ink * (column + 0.5);
            y += ink * (row + 0.5);
        }
    }
    QImage moved(image.size(), image.format());
    moved.fill(0);
    QPainter painter(&moved);
    painter.drawImage(QPoint(qRound(image.width() / 2.0 - x / mass), qRound(image.height() / 2.0 - y / mass)), image);
    return moved;
}

} // namespace

std::vector<float> networkPicture(const std::vector<Stroke>& strokes, int width, int height)
{
    std::vector<float> pixels(static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 0.0f);
    if (strokes.empty()) return pixels;
    const Fit fit = fitFor(height);
    QImage fine = draw(strokes, width * kFineness, height * kFineness, fit);
    if (fit.byMass) fine = centredByMass(fine);
    for (int y = 0; y < fine.height(); ++y) {
        const uchar* line = fine.constScanLine(y);
        for (int x = 0; x < fine.width(); ++x) {
            const auto cell = static_cast<std::size_t>(y / kFineness * width + x / kFineness);
            pixels[cell] += static_cast<float>(line[x]) / (255.0f * kFineness * kFineness);
        }
    }
    return pixels;
}

} // namespace millrace::ui
