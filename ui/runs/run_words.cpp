#include "ui/runs/run_words.h"

#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <QCoreApplication>
#include <QDateTime>
#include <QLocale>
#include <cmath>

namespace millrace::ui {

using namespace Qt::StringLiterals;
using protocol::RunState;

namespace {
struct Words
{
    Q_DECLARE_TR_FUNCTIONS(millrace::ui::RunWords)
};
} // namespace

QString stateWord(RunState state)
{
    switch (state) {
    case RunState::Queued:
        return Words::tr("queued");
    case RunState::Starting:
        return Words::tr("starting");
    case RunState::Running:
        return Words::tr("running");
    case RunState::Stopping:
        return Words::tr("stopping");
    case RunState::Finished:
        return Words::tr("finished");
    case RunState::Failed:
        return Words::tr("failed");
    case RunState::Stopped:
        return Words::tr("stopped");
    case RunState::Lost:
        return Words::tr("lost");
    }
    return {};
}

Sign stateSign(RunState state)
{
    switch (state) {
    case RunState::Queued:
        return Sign::Waiting;
    case RunState::Starting:
    case RunState::Running:
    case RunState::Stopping:
        return Sign::Running;
    case RunState::Finished:
        return Sign::Done;
    case RunState::Failed:
        return Sign::Failed;
    case RunState::Stopped:
        return Sign::Stopped;
    case RunState::Lost:
        return Sign::Warning;
    }
    return Sign::None;
}

Role stateRole(RunState state)
{
    return signRole(stateSign(state));
}

Sign stageSign(const QString& state)
{
    if (state == u"running") return Sign::Running;
    if (state == u"finished") return Sign::Done;
    if (state == u"cached") return Sign::Cached;
    if (state == u"failed") return Sign::Failed;
    if (state == u"skipped") return Sign::Skipped;
    return Sign::Waiting;
}

QString whenWords(qint64 timeMs, qint64 nowMs)
{
    if (timeMs == 0) return {};
    const qint64 minutes = (nowMs - timeMs) / 60000;
    if (minutes < 1) return Words::tr("now");
    if (minutes < 60) return Words::tr("%1 min").arg(minutes);
    if (minutes < 12 * 60) return Words::tr("%1 h").arg(minutes / 60);
    const QDateTime then = QDateTime::fromMSecsSinceEpoch(timeMs), now = QDateTime::fromMSecsSinceEpoch(nowMs);
    const qint64 days = then.date().daysTo(now.date());
    if (days == 0) return Words::tr("%1 h").arg(minutes / 60);
    if (days == 1) return Words::tr("yesterday");
    if (days < 7) return Words::tr("%1 days").arg(days);
    return QLocale().toString(then.date(), then.date().year() == now.date().year() ? u"d MMM"_s : u"d MMM yyyy"_s);
}

QString durationWords(double seconds)
{
    return std::isnan(seconds) ? u"—"_s : QString::fromStdString(formatDuration(seconds));
}

QString metricText(double value)
{
    if (std::isnan(value)) return u"NaN"_s;
    if (std::isinf(value)) return value > 0 ? u"∞"_s : u"−∞"_s;
    if (value == std::floor(value) && std::abs(value) < 1e15) {
        return QString::fromStdString(formatCount(static_cast<std::int64_t>(value)));
    }
    if (std::abs(value) < 1e-4 || std::abs(value) >= 1e6) return QString::fromStdString(significant(value, 3));
    // three decimals are what a column of accuracies needs to line up; small values get more
    const int decimals = std::abs(value) < 0.01 ? 5 : std::abs(value) < 0.1 ? 4 : std::abs(value) < 10 ? 3 : 1;
    return QString::fromStdString(fixed(value, decimals));
}

QString bytesText(double bytes)
{
    return QString::fromStdString(formatBytes(bytes));
}

QString metricTitle(const QString& name)
{
    QString title = name;
    return title.replace(u'.', u' ').replace(u'_', u' ');
}

QString parameterTitle(const QString& name)
{
    return name.section(u'.', -1).replace(u'_', u' ');
}

std::vector<Metric> resultsOf(const std::vector<Metric>& metrics)
{
    std::vector<Metric> results;
    for (const Metric& metric : metrics) {
        if (!metric.name.contains(u"batch_"_s) && !metric.name.endsWith(u".learning_rate"_s)) results.push_back(metric);
    }
    return results;
}

QString metricAxis(const QString& name)
{
    return name.contains(u"batch_"_s) ? Words::tr("step") : Words::tr("epoch");
}

QString plainToolTip(const QString& text)
{
    // without a tag Qt guesses what it is
    return text.isEmpty() ? QString() : u"<span>%1</span>"_s.arg(text.toHtmlEscaped());
}

} // namespace millrace::ui
