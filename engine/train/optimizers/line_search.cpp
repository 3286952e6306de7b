#include "engine/train/optimizers/line_search.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::train {

Result<double> RegularisedObjective::evaluate()
{
    MR_TRY(double loss, m_objective.evaluate());
    if (m_weightDecay == 0) return loss;
    for (const kernels::Segment& segment : m_layout.segments) {
        if (!segment.decay) continue;
        const auto first = static_cast<std::size_t>(segment.begin);
        const std::size_t count = static_cast<std::size_t>(segment.end) - first;
        const auto weights = parameters().subspan(first, count);
        MR_TRY(const double square, m_vectors.dot(weights, weights));
        loss += m_weightDecay / 2 * square;
        m_vectors.combine(gradients().subspan(first, count), 1.0F, weights, static_cast<float>(m_weightDecay));
    }
    return loss;
}

void Line::moveTo(double t)
{
    const auto parameters = m_objective.parameters();
    m_vectors.copy(parameters, m_start);
    m_vectors.combine(parameters, 1.0F, m_direction, static_cast<float>(t));
}

Result<LinePoint> Line::evaluate(double t)
{
    moveTo(t);
    MR_TRY(const double loss, m_objective.evaluate());
    MR_TRY(const double slope, m_vectors.dot(m_objective.gradients(), m_direction));
    return LinePoint{t, loss, slope};
}

Result<double> Line::longestMove() const
{
    return m_vectors.largest(m_direction);
}

namespace {

/// Where the cubic through both points, with their slopes, is lowest, kept within the bounds; their middle where it has
/// no minimum.
double lowestOfCubic(const LinePoint& a, const LinePoint& b, double from, double to)
{
    const LinePoint &left = a.t <= b.t ? a : b, &right = a.t <= b.t ? b : a;
    const double width = right.t - left.t;
    const double chord = left.slope + right.slope - 3 * (right.loss - left.loss) / width;
    const double square = chord * chord - left.slope * right.slope;
    if (!(square >= 0)) return (from + to) / 2;
    const double root = std::sqrt(square);
    const double t = right.t - width * ((right.slope + root - chord) / (right.slope - left.slope + 2 * root));
    return std::isfinite(t) ? std::clamp(t, from, to) : (from + to) / 2;
}

class Search
{
public:
    Search(Line& line, const LinePoint& start, const LineSearchOptions& options)
        : m_line(line), m_start(start), m_options(options)
    {
    }

    Result<double> run(double firstStep)
    {
        MR_CHECK(bracket(firstStep));
        if (!m_found) MR_CHECK(zoom());
        return low().t;
    }

private:
    bool tooHigh(const LinePoint& p) const { return p.loss > m_start.loss + m_options.decrease * p.t * m_start.slope; }
    bool flatEnough(const LinePoint& p) const { return std::abs(p.slope) <= -m_options.curvature * m_start.slope; }
    LinePoint& low() { return m_bracket[m_low]; }
    LinePoint& high() { return m_bracket[1 - m_low]; }
    void between(const LinePoint& a, const LinePoint& b)
    {
        m_bracket = {a, b};
        m_low = a.loss <= b.loss ? 0 : 1;
    }

    /// Goes out until the minimum lies between two points, or until a point meets both conditions.
    Status bracket(double firstStep)
    {
        LinePoint previous = m_start;
        MR_TRY(LinePoint now, m_line.evaluate(firstStep));
        for (; m_used < m_options.evaluations; ++m_used) {
            if (tooHigh(now) || (m_used > 1 && now.loss >= previous.loss)) {
                between(previous, now);
                return {};
            }
            if (flatEnough(now)) {
                between(now, now);
                m_found = true;
                return {};
            }
            if (now.slope >= 0) {
                between(previous, now);
                return {};
            }
            const double nearest = now.t + 0.01 * (now.t - previous.t), farthest = 10 * now.t;
            const double next = lowestOfCubic(previous, now, nearest, farthest);
            previous = now;
            MR_TRY(now, m_line.evaluate(next));
        }
        between(m_start, now);
        return {};
    }

    /// Cuts the bracket until a point meets both conditions.
    Status zoom()
    {
        MR_TRY(const double longestMove, m_line.longestMove());
        bool crept = false; // the last cut was close to an end
        for (; m_used < m_options.evaluations; ++m_used) {
            const double from = std::min(low().t, high().t), to = std::max(low().t, high().t);
            if ((to - from) * longestMove < m_options.smallestMove) return {};
            double t = lowestOfCubic(m_bracket[0], m_bracket[1], from, to);
            const double margin = 0.1 * (to - from);
            const bool creeps = std::min(to - t, t - from) < margin;
            if (creeps && (crept || t >= to || t <= from)) {
                t = to - t < t - from ? to - margin : from + margin;
                crept = false;
            } else {
                crept = creeps;
            }
            MR_TRY(const LinePoint now, m_line.evaluate(t));
            if (tooHigh(now) || now.loss >= low().loss) {
                high() = now;
                m_low = m_bracket[0].loss <= m_bracket[1].loss ? 0 : 1;
                continue;
            }
            const bool done = flatEnough(now);
            if (!done && now.slope * (high().t - low().t) >= 0) high() = low();
            low() = now;
            if (done) return {};
        }
        return {};
    }

    Line& m_line;
    const LinePoint m_start;
    const LineSearchOptions& m_options;
    std::array<LinePoint, 2> m_bracket;
    std::size_t m_low = 0;
    int m_used = 0;
    bool m_found = false;
};

} // namespace

Result<double> searchLine(Line& line, const LinePoint& start, double firstStep, const LineSearchOptions& options)
{
    return Search(line, start, options).run(firstStep);
}

} // namespace millrace::train
