// What was drawn with the mouse, as lines, and as the small picture that a network takes.
#pragma once

#include <QPolygonF>
#include <vector>

namespace millrace::ui {

/// One line from pen down to pen up; a single point is a dot. In any unit: only the shape counts.
using Stroke = QPolygonF;

/// The drawing as height × width values from 0 (paper) to 1 (ink), row by row, sized and placed as the digits are that
/// networks of this size are trained on:
/// - under 20 pixels as the UCI digits: as high as the picture, at most 0.66 of its width, centred, with a pen a fifth
///   of its height; every value the share of ink in its cell, from a bitmap four times as fine;
/// - from 20 pixels on as MNIST: into a box of 20/28 of the picture, its centre of mass in the middle.
/// The pen's width is that of the picture, not of the drawing: small drawings do not come out fat.
std::vector<float> networkPicture(const std::vector<Stroke>& strokes, int width, int height);

} // namespace millrace::ui
