#include "ui/runs/series_feed.h"

#include <algorithm>

namespace millrace::ui {

namespace {
// the worker keeps the extremes of every bucket, so that more could not be seen; smoothing has them all below this
constexpr int kMaximumPoints = 20'000;
} // namespace

SeriesFeed::SeriesFeed(Tracking& tracking, QString run, QObject* parent)
    : QObject(parent), m_tracking(tracking), m_run(std::move(run))
{
    connect(&tracking, &Tracking::seriesAnswered, this,
            [this](RequestId request, const QString&, const SeriesList& list) {
                if (!m_awaited.accept(request)) return;
                for (const SeriesPoints& series : *list) m_points[series.name] = {series.steps, series.values};
                emit updated();
                if (std::exchange(m_stale, false)) refresh();
            });
    connect(&tracking, &Tracking::failed, this, [this](RequestId request) { m_awaited.accept(request); });
    connect(&tracking, &Tracking::runsChanged, this, [this](const RunList& runs) {
        if (std::any_of(runs->begin(), runs->end(), [this](const RunSummary& row) { return row.id == m_run; }))
            refresh();
    });
}

void SeriesFeed::setNames(const QStringList& names)
{
    if (names == m_names) return;
    m_names = names;
    m_awaited.expect(0);
    refresh();
}

void SeriesFeed::refresh()
{
    if (m_names.isEmpty()) return;
    if (m_awaited.isPending()) {
        m_stale = true;
        return;
    }
    m_awaited.expect(m_tracking.requestSeries(m_run, m_names, kMaximumPoints));
}

} // namespace millrace::ui
