// The series of one run, kept as they are in the record: asked for again when something new is there, one request at
// a time.
#pragma once

#include "ui/bridge/tracking.h"
#include "ui/charts/series.h"

#include <QHash>

namespace millrace::ui {

class SeriesFeed : public QObject
{
    Q_OBJECT
public:
    SeriesFeed(Tracking& tracking, QString run, QObject* parent = nullptr);

    const QString& run() const { return m_run; }
    void setNames(const QStringList& names);
    /// The points that have come; empty before and for a metric that the run has not.
    Points points(const QString& name) const { return m_points.value(name); }

signals:
    void updated();

private:
    void refresh();

    Tracking& m_tracking;
    QString m_run;
    QStringList m_names;
    QHash<QString, Points> m_points;
    Awaited m_awaited;
    bool m_stale = false; ///< something changed while an answer was under way
};

} // namespace millrace::ui
