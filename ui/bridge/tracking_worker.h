// The side of Tracking that works: owns the database, the follower of the journals and this computer as a target, all
// in one thread.
#pragma once

#include "cluster/local_target.h"
#include "storage/run_follower.h"
#include "storage/tracking_database.h"
#include "ui/bridge/live_progress.h"
#include "ui/bridge/tracking.h"

#include <QElapsedTimer>
#include <QTimer>
#include <map>
#include <optional>
#include <set>

namespace millrace::ui {

class TrackingWorker : public QObject
{
    Q_OBJECT
public:
    /// Answers through the owner's signals, in the owner's thread; the owner ends this thread before it goes.
    TrackingWorker(Tracking& owner, TrackingOptions options);

    void start();

    void launch(RequestId id, const QString& documentText, const QString& baseDirectory, const QString& name,
                const QString& device);
    void resume(RequestId id, const QString& run);
    void stop(RequestId id, const QString& run);
    void deleteRun(RequestId id, const QString& run);
    void answerRuns(RequestId id);
    void answerRun(RequestId id, const QString& run);
    void answerSeries(RequestId id, const QString& run, const QStringList& names, int maximumPoints);
    void answerTelemetry(RequestId id, const QString& run, int maximumPoints);
    void exportMetrics(RequestId id, const QString& run, const QString& fileName);
    void answerModels(RequestId id);
    void answerModelVersions(RequestId id, const QString& model);
    void setAlias(RequestId id, const QString& model, const QString& alias, qint64 version);
    void removeAlias(RequestId id, const QString& model, const QString& alias);
    void recoverDatabase(RequestId id);

private:
    void open();
    void poll();
    void sendChanges();
    /// The open database, or why it is not.
    Result<storage::TrackingDatabase*> database();
    std::vector<Parameter> parametersFor(const std::string& run);
    Result<RunSummary> summary(const std::string& run);
    Result<RunDetails> detail(const std::string& run);

    /// Emits in the owner's thread.
    template <class Emit> void answer(Emit emitIt);
    void fail(RequestId id, const Error& error);
    void finish(RequestId id, const Status& status);

    Tracking& m_owner;
    const TrackingOptions m_options;
    std::optional<storage::TrackingDatabase> m_database;
    std::optional<Error> m_openError;
    std::optional<storage::RunFollower> m_follower;
    std::optional<cluster::LocalTarget> m_target;
    LiveProgress m_progress;
    std::map<std::string, std::vector<Parameter>> m_parameters; ///< of runs that were listed; they never change
    std::set<std::string> m_changed;                            ///< since changes were last sent
    std::set<std::string> m_reported;                           ///< problems that were told already
    bool m_modelsChanged = false;
    QElapsedTimer m_sinceSent;
    QTimer m_timer{this};
};

} // namespace millrace::ui
