#include "ui/charts/series.h"

#include <algorithm>
#include <cmath>

namespace millrace::ui {

std::vector<double> smoothed(std::span<const double> values, double weight)
{
    std::vector<double> result(values.begin(), values.end());
    const bool constant = std::adjacent_find(values.begin(), values.end(), std::not_equal_to<>()) == values.end();
    if (weight <= 0 || constant) return result;
    double average = 0;
    double bias = 1; // w^n
    for (double& value : result) {
        if (!std::isfinite(value)) continue;
        average = average * weight + (1 - weight) * value;
        bias *= weight;
        value = average / (1 - bias);
    }
    return result;
}

namespace {

// the points of one pixel column, in the order of their x
struct Bucket
{
    std::size_t first = 0, least = 0, greatest = 0, last = 0;
    bool used = false, broken = false;

    void add(std::size_t index, const Points& points)
    {
        if (std::isnan(points.y[index])) {
            broken = true;
            return;
        }
        if (!used) first = least = greatest = index;
        used = true;
        last = index;
        if (points.y[index] < points.y[least]) least = index;
        if (points.y[index] > points.y[greatest]) greatest = index;
    }

    void appendTo(Points& out, const Points& points) const
    {
        if (used) {
            std::size_t kept[] = {first, std::min(least, greatest), std::max(least, greatest), last};
            for (std::size_t k = 0; k < 4; ++k) {
                if (k > 0 && kept[k] == kept[k - 1]) continue;
                out.x.push_back(points.x[kept[k]]);
                out.y.push_back(points.y[kept[k]]);
            }
        }
        if (broken) {
            out.x.push_back(used ? points.x[last] : points.x[first]);
            out.y.push_back(std::nan(""));
        }
    }
};

} // namespace

Points reduceToPixels(const Points& points, double from, double to, int pixels)
{
    if (points.empty() || pixels <= 0 || !(to > from)) return points;
    const auto begin = points.x.begin();
    const auto lower = std::lower_bound(begin, points.x.end(), from);
    const auto upper = std::upper_bound(lower, points.x.end(), to);
    const std::size_t start = static_cast<std::size_t>(lower - begin) - (lower != begin ? 1 : 0);
    const std::size_t stop = static_cast<std::size_t>(upper - begin) + (upper != points.x.end() ? 1 : 0);
    Points out;
    if (stop - start <= static_cast<std::size_t>(pixels) * 4) {
        out.x.assign(begin + static_cast<std::ptrdiff_t>(start), begin + static_cast<std::ptrdiff_t>(stop));
        out.y.assign(points.y.begin() + static_cast<std::ptrdiff_t>(start),
                     points.y.begin() + static_cast<std::ptrdiff_t>(stop));
        return out;
    }
    const double columnsPerUnit = pixels / (to - from);
    Bucket bucket;
    long column = -2;
    for (std::size_t i = start; i < stop; ++i) {
        const double clamped = std::clamp((points.x[i] - from) * columnsPerUnit, -1.0, pixels + 1.0);
        const long here = std::lround(std::floor(clamped));
        if (here != column) {
            bucket.appendTo(out, points);
            bucket = Bucket{};
            bucket.first = i;
            column = here;
        }
        bucket.add(i, points);
    }
    bucket.appendTo(out, points);
    return out;
}

std::optional<std::size_t> nearestPoint(const Points& points, double x, double tolerance)
{
    if (points.empty()) return std::nullopt;
    if (x < points.x.front() - tolerance / 2 || x > points.x.back() + tolerance / 2) return std::nullopt;
    const auto after = std::lower_bound(points.x.begin(), points.x.end(), x);
    if (after == points.x.begin()) return 0;
    const auto index = static_cast<std::size_t>(after - points.x.begin());
    if (after == points.x.end()) return index - 1;
    return x - points.x[index - 1] <= points.x[index] - x ? index - 1 : index;
}

} // namespace millrace::ui
