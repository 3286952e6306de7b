#include "ui/bridge/tracking_worker.h"

#include "kernels/base/text.h"
#include "storage/recovery.h"
#include "storage/run_removal.h"
#include "ui/bridge/conversions.h"

#include <algorithm>

namespace millrace::ui {

namespace {
constexpr int kSendIntervalMs = 150;
constexpr int kReopenIntervalMs = 2000;
constexpr std::size_t kLogLines = 2000;

// quoted as RFC 4180 has it, where the text needs it
std::string csvField(const std::string& text)
{
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + '"';
}

} // namespace

TrackingWorker::TrackingWorker(Tracking& owner, TrackingOptions options) : m_owner(owner), m_options(std::move(options))
{
}

template <class Emit> void TrackingWorker::answer(Emit emitIt)
{
    QMetaObject::invokeMethod(
        &m_owner, [&owner = m_owner, emitIt = std::move(emitIt)] { emitIt(owner); }, Qt::QueuedConnection);
}

void TrackingWorker::fail(RequestId id, const Error& error)
{
    answer([=](Tracking& owner) { emit owner.failed(id, error); });
}

void TrackingWorker::finish(RequestId id, const Status& status)
{
    if (!status) return fail(id, status.error());
    answer([=](Tracking& owner) { emit owner.done(id); });
}

void TrackingWorker::start()
{
    m_sinceSent.start();
    m_target.emplace(m_options.home, m_options.runner);
    connect(&m_timer, &QTimer::timeout, this, &TrackingWorker::poll);
    open();
}

void TrackingWorker::open()
{
    m_follower.reset();
    m_database.reset();
    const auto opened = [&]() -> Status {
        MR_CHECK(m_options.home.create());
        MR_TRY(m_database, storage::TrackingDatabase::open(m_options.home.database()));
        return {};
    }();
    if (!opened) {
        // told once; tried again now and then, for a disk that was full may have room again
        const bool known = m_openError && m_openError->message == opened.error().message;
        m_openError = opened.error();
        if (!known) answer([error = opened.error()](Tracking& owner) { emit owner.databaseFailed(error); });
        m_timer.start(kReopenIntervalMs);
        return;
    }
    m_openError.reset();
    m_follower.emplace(m_options.home, *m_database);
    answer([notice = toQString(m_database->notice())](Tracking& owner) { emit owner.databaseOpened(notice); });
    // neither is worth refusing work for: the next start tries again
    for (const Status& care : {storage::emptyTrash(m_options.home), m_database->backUpDaily()}) {
        if (!care) answer([error = care.error()](Tracking& owner) { emit owner.problemFound(error); });
    }
    m_timer.start(m_options.pollMs);
    poll();
}

Result<storage::TrackingDatabase*> TrackingWorker::database()
{
    if (m_database) return &*m_database;
    return m_openError ? *m_openError : makeError(Code::Internal, "The tracking database is not open.");
}

void TrackingWorker::poll()
{
    if (!m_database) return open();
    for (const cluster::EndedRunner& runner : m_target->ended()) m_follower->noteExit(runner.run, runner.status);
    auto polled = m_follower->poll();
    std::vector<Error> problems;
    if (polled) {
        problems = std::move(polled->problems);
        for (const storage::RunEvents& news : polled->news) {
            m_changed.insert(news.run);
            if (!m_progress.knows(news.run)) {
                if (const auto stages = m_database->stages(news.run)) m_progress.seed(news.run, *stages);
            }
            for (const protocol::Event& event : news.events) {
                if (event.kind == "param") m_parameters.erase(news.run);
                if (event.kind == "artifact") m_modelsChanged = true;
                m_progress.take(news.run, event);
            }
        }
    } else {
        problems.push_back(polled.error());
    }
    for (const Error& problem : problems) {
        if (!m_reported.insert(problem.toString()).second) continue;
        answer([problem](Tracking& owner) { emit owner.problemFound(problem); });
    }
    if (m_sinceSent.elapsed() >= kSendIntervalMs || !(polled && polled->more)) sendChanges();
    if (polled && polled->more) QTimer::singleShot(0, this, &TrackingWorker::poll);
}

void TrackingWorker::sendChanges()
{
    m_sinceSent.restart();
    auto rows = std::make_shared<std::vector<RunSummary>>();
    for (const std::string& run : std::exchange(m_changed, {})) {
        auto row = summary(run);
        if (!row) continue; // it was removed meanwhile
        m_progress.describe(*row);
        rows->push_back(std::move(*row));
    }
    for (const RunProgress& progress : m_progress.takeChanged()) {
        answer([progress](Tracking& owner) { emit owner.progressChanged(progress); });
    }
    if (!rows->empty()) answer([list = RunList(rows)](Tracking& owner) { emit owner.runsChanged(list); });
    if (std::exchange(m_modelsChanged, false)) answer([](Tracking& owner) { emit owner.modelsChanged(); });
}

std::vector<Parameter> TrackingWorker::parametersFor(const std::string& run)
{
    if (const auto known = m_parameters.find(run); known != m_parameters.end()) return known->second;
    auto parameters = m_database->parameters(run);
    if (!parameters) return {};
    auto rows = parametersOf(*parameters);
    if (!rows.empty()) m_parameters[run] = rows;
    return rows;
}

Result<RunSummary> TrackingWorker::summary(const std::string& run)
{
    MR_TRY(auto* database, this->database());
    MR_TRY(auto record, database->run(run));
    MR_TRY(record.metrics, database->lastMetrics(run));
    return summaryOf(record, parametersFor(run));
}

void TrackingWorker::launch(RequestId id, const QString& documentText, const QString& baseDirectory,
                            const QString& name, const QString& device)
{
    const auto launched = [&]() -> Result<cluster::LaunchedRun> {
        MR_TRY(auto* database, this->database());
        protocol::Job job;
        job.name = name.toStdString();
        job.pipelineText = documentText.toStdString();
        job.baseDirectory = baseDirectory.toStdString();
        job.resourceDirectory = m_options.resourceDirectory;
        job.device = device.toStdString();
        MR_TRY(auto run, m_target->launch(std::move(job)));
        MR_CHECK(database->createRun(storage::describe(run.job, run.folder.path)));
        return run;
    }();
    if (!launched) return fail(id, launched.error());
    m_follower->follow(launched->job.run);
    m_progress.follow(launched->job.run);
    m_changed.insert(launched->job.run);
    answer([id, run = toQString(launched->job.run)](Tracking& owner) { emit owner.launched(id, run); });
    sendChanges();
}

void TrackingWorker::resume(RequestId id, const QString& run)
{
    const auto database = this->database();
    if (!database) return fail(id, database.error());
    const auto launched = m_target->resume(run.toStdString());
    if (!launched) return fail(id, launched.error());
    m_follower->follow(launched->job.run);
    m_progress.follow(launched->job.run);
    m_changed.insert(launched->job.run);
    answer([=](Tracking& owner) { emit owner.launched(id, run); });
}

void TrackingWorker::stop(RequestId id, const QString& run)
{
    const auto folder = m_options.home.run(run.toStdString());
    finish(id, folder ? cluster::requestStop(*folder) : Status(folder.error()));
}

void TrackingWorker::deleteRun(RequestId id, const QString& run)
{
    const auto removed = [&]() -> Status {
        MR_TRY(auto* database, this->database());
        return storage::removeRun(*database, m_options.home, run.toStdString());
    }();
    if (removed) {
        m_parameters.erase(run.toStdString());
        m_changed.erase(run.toStdString());
        m_progress.forget(run.toStdString());
        answer([=](Tracking& owner) { emit owner.runsRemoved({run}); });
    }
    finish(id, removed);
}

void TrackingWorker::answerRuns(RequestId id)
{
    const auto list = [&]() -> Result<RunList> {
        MR_TRY(auto* database, this->database());
        storage::RunQuery query;
        query.metrics = true;
        MR_TRY(auto runs, database->runs(query));
        auto rows = std::make_shared<std::vector<RunSummary>>();
        rows->reserve(runs.size());
        for (const storage::Run& run : runs) rows->push_back(summaryOf(run, parametersFor(run.id)));
        return RunList(rows);
    }();
    if (!list) return fail(id, list.error());
    answer([id, rows = *list](Tracking& owner) { emit owner.runsAnswered(id, rows); });
}

Result<RunDetails> TrackingWorker::detail(const std::string& run)
{
    MR_TRY(auto* database, this->database());
    auto result = std::make_shared<RunDetail>();
    MR_TRY(result->summary, summary(run));
    MR_TRY(const auto text, database->pipelineText(run));
    result->pipelineText = toQString(text);
    MR_TRY(const auto stages, database->stages(run));
    for (const auto& stage : stages) result->stages.push_back(stageOf(stage));
    MR_TRY(const auto artifacts, database->artifacts(run));
    for (const auto& artifact : artifacts) {
        result->artifacts.push_back({toQString(printable(artifact.stage)), toQString(printable(artifact.role)),
                                     toQString(artifact.path), toQString(artifact.sha256), artifact.bytes});
    }
    result->confusion = confusionOf(artifacts);
    MR_TRY(const auto checkpoints, database->checkpoints(run));
    for (const auto& checkpoint : checkpoints) {
        result->checkpoints.push_back({toQString(printable(checkpoint.stage)), toQString(checkpoint.path),
                                       checkpoint.step, checkpoint.epoch, checkpoint.bytes, checkpoint.timeMs});
    }
    MR_TRY(const auto lines, database->logs(run, 0, kLogLines));
    for (const auto& line : lines) {
        result->log.push_back({line.timeMs, toQString(printable(line.level)), toQString(printable(line.stage)),
                               toQString(printable(line.text))});
    }
    MR_TRY(const auto names, database->seriesNames(run));
    for (const auto& info : names) result->series << toQString(info.name);
    return RunDetails(result);
}

void TrackingWorker::answerRun(RequestId id, const QString& run)
{
    const auto found = detail(run.toStdString());
    if (!found) return fail(id, found.error());
    answer([id, detail = *found](Tracking& owner) { emit owner.runAnswered(id, detail); });
}

void TrackingWorker::answerSeries(RequestId id, const QString& run, const QStringList& names, int maximumPoints)
{
    const auto list = [&]() -> Result<SeriesList> {
        MR_TRY(auto* database, this->database());
        auto result = std::make_shared<std::vector<SeriesPoints>>();
        for (const QString& name : names) {
            const auto buckets = static_cast<std::size_t>(std::max(0, maximumPoints / 2));
            MR_TRY(const auto points, database->series(run.toStdString(), name.toStdString(), buckets));
            SeriesPoints series{name, {}, {}};
            series.steps.reserve(points.size());
            series.values.reserve(points.size());
            for (const storage::Point& point : points) {
                series.steps.push_back(static_cast<double>(point.step));
                series.values.push_back(point.value);
            }
            result->push_back(std::move(series));
        }
        return SeriesList(result);
    }();
    if (!list) return fail(id, list.error());
    answer([id, run, series = *list](Tracking& owner) { emit owner.seriesAnswered(id, run, series); });
}

void TrackingWorker::answerTelemetry(RequestId id, const QString& run, int maximumPoints)
{
    const auto database = this->database();
    if (!database) return fail(id, database.error());
    const auto samples =
        (*database)->telemetry(run.toStdString(), static_cast<std::size_t>(std::max(0, maximumPoints)));
    if (!samples) return fail(id, samples.error());
    auto points = std::make_shared<TelemetryPoints>();
    for (const auto& sample : *samples) {
        points->seconds.push_back(static_cast<double>(sample.timeMs - samples->front().timeMs) / 1000);
        points->cpuPercent.push_back(sample.processCpuPercent);
        points->memoryBytes.push_back(static_cast<double>(sample.memoryBytes));
    }
    answer([id, run, telemetry = Telemetry(points)](Tracking& owner) {
        emit owner.telemetryAnswered(id, run, telemetry);
    });
}

void TrackingWorker::exportMetrics(RequestId id, const QString& run, const QString& fileName)
{
    finish(id, [&]() -> Status {
        MR_TRY(auto* database, this->database());
        MR_TRY(const auto names, database->seriesNames(run.toStdString()));
        std::string csv = "metric,step,time_ms,value\r\n";
        for (const auto& info : names) {
            MR_TRY(const auto points, database->series(run.toStdString(), info.name));
            const std::string name = csvField(info.name);
            for (const storage::Point& point : points) {
                csv += str(name, ',', point.step, ',', point.timeMs, ',', point.value, "\r\n");
            }
        }
        return durableReplace(fileName.toStdString(), csv);
    }());
}

void TrackingWorker::answerModels(RequestId id)
{
    const auto database = this->database();
    if (!database) return fail(id, database.error());
    const auto models = (*database)->models();
    if (!models) return fail(id, models.error());
    std::vector<ModelRow> rows;
    for (const auto& model : *models) {
        rows.push_back(
            {toQString(printable(model.name)), static_cast<qint64>(model.versions), versionOf(model.latest)});
    }
    answer([id, rows](Tracking& owner) { emit owner.modelsAnswered(id, rows); });
}

void TrackingWorker::answerModelVersions(RequestId id, const QString& model)
{
    const auto database = this->database();
    if (!database) return fail(id, database.error());
    const auto versions = (*database)->modelVersions(model.toStdString());
    if (!versions) return fail(id, versions.error());
    std::vector<ModelVersionRow> rows;
    for (const auto& version : *versions) rows.push_back(versionOf(version));
    answer([id, model, rows](Tracking& owner) { emit owner.modelVersionsAnswered(id, model, rows); });
}

void TrackingWorker::setAlias(RequestId id, const QString& model, const QString& alias, qint64 version)
{
    finish(id, [&]() -> Status {
        MR_TRY(auto* database, this->database());
        return database->setAlias(model.toStdString(), alias.toStdString(), version);
    }());
    answer([](Tracking& owner) { emit owner.modelsChanged(); });
}

void TrackingWorker::removeAlias(RequestId id, const QString& model, const QString& alias)
{
    finish(id, [&]() -> Status {
        MR_TRY(auto* database, this->database());
        return database->removeAlias(model.toStdString(), alias.toStdString());
    }());
    answer([](Tracking& owner) { emit owner.modelsChanged(); });
}

void TrackingWorker::recoverDatabase(RequestId id)
{
    if (m_database) return finish(id, {});
    const std::string path = m_options.home.database();
    const auto backups = storage::backupsOf(path);
    const auto aside = storage::putAside(path, backups.empty() ? std::string() : backups.front());
    if (aside) open();
    finish(id, aside ? Status() : Status(aside.error()));
}

} // namespace millrace::ui
