#include "ui/charts/axis_ticker.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <algorithm>
#include <cmath>

namespace millrace::ui {

using namespace Qt::StringLiterals;

QString numberText(double value)
{
    if (std::isnan(value)) return u"NaN"_s;
    if (std::isinf(value)) return value > 0 ? u"∞"_s : u"−∞"_s;
    if (value == std::floor(value) && std::abs(value) < 1e15) {
        return QString::fromStdString(formatCount(static_cast<std::int64_t>(value)));
    }
    return QString::fromStdString(significant(value, 4));
}

double AxisTicker::getTickStep(const QCPRange& range)
{
    constexpr double kIntervals = 4;
    const double exact = range.size() / kIntervals;
    if (!(exact > 0)) return 1;
    const double magnitude = std::pow(10.0, std::floor(std::log10(exact)));
    double step = magnitude * 10;
    for (const double round : {1.0, 2.0, 2.5, 5.0}) {
        if (m_whole && magnitude < 10 && round == 2.5) continue;
        if (magnitude * round >= exact * 0.999) {
            step = magnitude * round;
            break;
        }
    }
    m_step = m_whole ? std::max(1.0, std::round(step)) : step;
    return m_step;
}

int AxisTicker::getSubTickCount(double)
{
    return 0;
}

QVector<double> AxisTicker::createTickVector(double tickStep, const QCPRange& range)
{
    if (!m_logarithmic || range.lower <= 0) return QCPAxisTicker::createTickVector(tickStep, range);
    const int first = static_cast<int>(std::floor(std::log10(range.lower)));
    const int last = static_cast<int>(std::ceil(std::log10(range.upper)));
    QVector<double> ticks;
    const bool fewDecades = std::log10(range.upper / range.lower) < 2;
    const int stride = std::max(1, (last - first) / 5);
    for (int exponent = first; exponent <= last; exponent += stride) {
        for (const double round : {1.0, 2.0, 5.0}) {
            const double tick = round * std::pow(10.0, exponent);
            if ((round == 1 || fewDecades) && range.contains(tick)) ticks << tick;
        }
    }
    // within less than a decade even 1, 2, 5 may miss: then as on a plain axis
    return ticks.size() >= 2 ? ticks : QCPAxisTicker::createTickVector(getTickStep(range), range);
}

QString AxisTicker::getTickLabel(double tick, const QLocale&, QChar, int)
{
    if (m_text) return m_text(tick);
    if (m_logarithmic) return numberText(tick);
    if (m_whole) return numberText(std::round(tick));
    const double magnitude = std::max(std::abs(tick), m_step);
    if (magnitude >= 1e6 || magnitude < 1e-4) return QString::fromStdString(significant(tick, 3));
    const double scaled = m_step / std::pow(10.0, std::floor(std::log10(m_step)));
    const int extra = std::abs(scaled - 2.5) < 1e-6 ? 1 : 0; // 0.25 needs a digit more than 0.2
    const int decimals = std::clamp(static_cast<int>(std::ceil(-std::log10(m_step) - 1e-9)) + extra, 0, 8);
    return QString::fromStdString(fixed(tick, decimals));
}

} // namespace millrace::ui
