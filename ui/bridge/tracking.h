// What the window asks about runs and models, and what it has done to them: requests go to one worker thread, answers
// come back as signals.
#pragma once

#include "engine/protocol/home.h"
#include "ui/bridge/values.h"
#include "ui/document/run_progress.h"

#include <QObject>
#include <QThread>
#include <functional>

namespace millrace::ui {

class TrackingWorker;

struct TrackingOptions
{
    protocol::Home home;
    std::string runner;            ///< the runner program; empty: as LocalTarget finds it
    std::string resourceDirectory; ///< where the built-in data sets are
    int pollMs = 200;              ///< how often the journals are looked at
};

/// Lives in the GUI thread. Every request returns its number at once; exactly one of its answer and `failed` follows,
/// later, with that number. The values are copies that nobody changes.
class Tracking : public QObject
{
    Q_OBJECT
public:
    explicit Tracking(TrackingOptions options, QObject* parent = nullptr);
    ~Tracking() override;

    const protocol::Home& home() const { return m_home; }

    /// Runs the pipeline on this computer, on a device as a job says it. → launched
    RequestId launch(const QString& documentText, const QString& baseDirectory, const QString& name = {},
                     const QString& device = QStringLiteral("cpu"));
    /// Goes on from the last checkpoint. → launched
    RequestId resume(const QString& run);
    /// Asks the runner to stop at the next step. → done; the state follows by `runsChanged`
    RequestId stop(const QString& run);
    /// Removes the run's rows and its folder. → done
    RequestId deleteRun(const QString& run);

    /// All runs, newest first. → runsAnswered
    RequestId requestRuns();
    RequestId requestRun(const QString& run);
    /// Series with at most about maximumPoints points each (0: all). → seriesAnswered
    RequestId requestSeries(const QString& run, const QStringList& names, int maximumPoints);
    RequestId requestTelemetry(const QString& run, int maximumPoints);
    /// Every metric of the run as CSV: metric,step,time,value. Written to the file. → done
    RequestId exportMetrics(const QString& run, const QString& fileName);

    RequestId requestModels();
    RequestId requestModelVersions(const QString& model);
    /// Moves the alias to the version. → done
    RequestId setAlias(const QString& model, const QString& alias, qint64 version);
    RequestId removeAlias(const QString& model, const QString& alias);

    /// Puts a damaged database aside; the record is then read again from the runs' journals. → done
    RequestId recoverDatabase();

signals:
    void launched(millrace::ui::RequestId request, const QString& run);
    void done(millrace::ui::RequestId request);
    void failed(millrace::ui::RequestId request, const millrace::Error& error);

    void runsAnswered(millrace::ui::RequestId request, const millrace::ui::RunList& runs);
    void runAnswered(millrace::ui::RequestId request, const millrace::ui::RunDetails& run);
    void seriesAnswered(millrace::ui::RequestId request, const QString& run, const millrace::ui::SeriesList& series);
    void telemetryAnswered(millrace::ui::RequestId request, const QString& run,
                           const millrace::ui::Telemetry& telemetry);
    void modelsAnswered(millrace::ui::RequestId request, const std::vector<millrace::ui::ModelRow>& models);
    void modelVersionsAnswered(millrace::ui::RequestId request, const QString& model,
                               const std::vector<millrace::ui::ModelVersionRow>& versions);

    /// Runs of which something is new, as they are now; a few times a second at most.
    void runsChanged(const millrace::ui::RunList& runs);
    void runsRemoved(const QStringList& runs);
    /// A model version came, went or changed its aliases.
    void modelsChanged();
    /// How far the runs are that are under way, and once more when one ends.
    void progressChanged(const millrace::ui::RunProgress& progress);
    /// The database cannot be opened: every request fails with this until `recoverDatabase` succeeds or it can be.
    void databaseFailed(const millrace::Error& error);
    /// It can be used. The notice is what the user should know about it; mostly empty.
    void databaseOpened(const QString& notice);
    /// Something is wrong with a single run's record, such as a damaged journal.
    void problemFound(const millrace::Error& error);

private:
    RequestId ask(std::function<void(TrackingWorker&, RequestId)> work);

    protocol::Home m_home;
    QThread m_thread;
    TrackingWorker* m_worker = nullptr; ///< lives in m_thread, deleted when it ends
    RequestId m_lastRequest = 0;
};

} // namespace millrace::ui
