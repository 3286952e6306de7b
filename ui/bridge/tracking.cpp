#include "ui/bridge/tracking.h"

#include "ui/bridge/tracking_worker.h"

namespace millrace::ui {

Tracking::Tracking(TrackingOptions options, QObject* parent) : QObject(parent), m_home(options.home)
{
    m_worker = new TrackingWorker(*this, std::move(options));
    m_worker->moveToThread(&m_thread);
    connect(&m_thread, &QThread::started, m_worker, &TrackingWorker::start);
    connect(&m_thread, &QThread::finished, m_worker, &QObject::deleteLater);
    m_thread.setObjectName(QStringLiteral("tracking"));
    m_thread.start();
}

Tracking::~Tracking()
{
    m_thread.quit();
    m_thread.wait();
}

RequestId Tracking::ask(std::function<void(TrackingWorker&, RequestId)> work)
{
    const RequestId id = ++m_lastRequest;
    QMetaObject::invokeMethod(
        m_worker, [worker = m_worker, work = std::move(work), id] { work(*worker, id); }, Qt::QueuedConnection);
    return id;
}

RequestId Tracking::launch(const QString& documentText, const QString& baseDirectory, const QString& name,
                           const QString& device)
{
    return ask(
        [=](TrackingWorker& worker, RequestId id) { worker.launch(id, documentText, baseDirectory, name, device); });
}

RequestId Tracking::resume(const QString& run)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.resume(id, run); });
}

RequestId Tracking::stop(const QString& run)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.stop(id, run); });
}

RequestId Tracking::deleteRun(const QString& run)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.deleteRun(id, run); });
}

RequestId Tracking::requestRuns()
{
    return ask([](TrackingWorker& worker, RequestId id) { worker.answerRuns(id); });
}

RequestId Tracking::requestRun(const QString& run)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.answerRun(id, run); });
}

RequestId Tracking::requestSeries(const QString& run, const QStringList& names, int maximumPoints)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.answerSeries(id, run, names, maximumPoints); });
}

RequestId Tracking::requestTelemetry(const QString& run, int maximumPoints)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.answerTelemetry(id, run, maximumPoints); });
}

RequestId Tracking::exportMetrics(const QString& run, const QString& fileName)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.exportMetrics(id, run, fileName); });
}

RequestId Tracking::requestModels()
{
    return ask([](TrackingWorker& worker, RequestId id) { worker.answerModels(id); });
}

RequestId Tracking::requestModelVersions(const QString& model)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.answerModelVersions(id, model); });
}

RequestId Tracking::setAlias(const QString& model, const QString& alias, qint64 version)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.setAlias(id, model, alias, version); });
}

RequestId Tracking::removeAlias(const QString& model, const QString& alias)
{
    return ask([=](TrackingWorker& worker, RequestId id) { worker.removeAlias(id, model, alias); });
}

RequestId Tracking::recoverDatabase()
{
    return ask([](TrackingWorker& worker, RequestId id) { worker.recoverDatabase(id); });
}

} // namespace millrace::ui
