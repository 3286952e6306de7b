// The numbers of one curve and what is done to them before they are drawn: first smoothing over all points, then the
// reduction to what the pixels can show.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace millrace::ui {

/// x ascending; y may hold NaN, where the curve is broken.
struct Points
{
    std::vector<double> x, y;

    bool empty() const { return x.empty(); }
    std::size_t size() const { return x.size(); }
};

/// The exponential moving average with weight w in [0, 1), debiased as in TensorBoard:
/// s_n = w s_(n-1) + (1-w) y_n, result s_n / (1 - w^n). Values that are not finite stay as they are and are left out
/// of the average; a constant curve stays unchanged.
std::vector<double> smoothed(std::span<const double> values, double weight);

/// The part between `from` and `to` (and one point beyond either end) with at most four points per pixel column: first,
/// least, greatest and last. What is drawn of it has the same pixels as the whole curve.
Points reduceToPixels(const Points& points, double from, double to, int pixels);

/// Index of the point nearest to x; nothing in an empty curve or beyond its ends by more than half a `tolerance`.
std::optional<std::size_t> nearestPoint(const Points& points, double x, double tolerance);

} // namespace millrace::ui
