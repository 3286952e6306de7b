// The bridge against a real database and real child processes.
#include "kernels/base/files.h"
#include "tests/ui/bridge/run_maker.h"
#include "ui/bridge/tracking.h"

#include <QFile>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <csignal>

using namespace millrace;
using namespace millrace::ui;
using namespace Qt::StringLiterals;

namespace {

constexpr int kPatienceMs = 10'000;

/// A home of its own and the bridge on it.
struct Fixture
{
    QTemporaryDir folder;
    protocol::Home home{folder.path().toStdString()};
    std::unique_ptr<Tracking> tracking;

    void open()
    {
        TrackingOptions options;
        options.home = home;
        options.pollMs = 20;
        tracking = std::make_unique<Tracking>(options);
    }

    /// The arguments of the signal that answers the request.
    template <class Signal> QVariantList answerTo(RequestId request, Signal signal)
    {
        QSignalSpy spy(tracking.get(), signal);
        for (int waited = 0; waited < kPatienceMs; waited += 50) {
            for (const QVariantList& arguments : spy) {
                if (arguments.front().toULongLong() == request) return arguments;
            }
            spy.wait(50);
        }
        return {};
    }

    RunSummary summaryOf(const QString& run)
    {
        const auto answer = answerTo(tracking->requestRun(run), &Tracking::runAnswered);
        return answer.isEmpty() ? RunSummary{} : answer[1].value<RunDetails>()->summary;
    }

    QString launch(const QString& name)
    {
        const auto answer =
            answerTo(tracking->launch(u"{\"format\": \"millrace/1\", \"name\": \"p\", \"nodes\": [], \"links\": []}"_s,
                                      u"/tmp"_s, name),
                     &Tracking::launched);
        return answer.isEmpty() ? QString() : answer[1].toString();
    }

    bool waitForState(const QString& run, protocol::RunState state)
    {
        return QTest::qWaitFor([&] { return summaryOf(run).state == state; }, kPatienceMs);
    }
};

} // namespace

class TrackingTest : public QObject
{
    Q_OBJECT
private slots:
    void launchesAndFollowsARun();
    void stopsAndResumes();
    void saysWhyARunFailed();
    void findsARunAgainAfterItWasClosed();
    void seesAKilledRunnerWithinASecond();
    void deletesARun();
    void answersSeriesAndTelemetry();
    void writesMetricsAsCsv();
    void listsModelsAndMovesAliases();
    void answersWithErrors();
    void recoversADamagedDatabase();
    void dropsLateAnswers();
};

void TrackingTest::launchesAndFollowsARun()
{
    Fixture f;
    f.open();
    std::vector<RunProgress> progress;
    connect(f.tracking.get(), &Tracking::progressChanged, this, [&](const RunProgress& p) { progress.push_back(p); });
    const QString run = f.launch(u"first"_s);
    QVERIFY(!run.isEmpty());
    QVERIFY(f.waitForState(run, protocol::RunState::Finished));
    const auto answer = f.answerTo(f.tracking->requestRun(run), &Tracking::runAnswered);
    const auto detail = answer[1].value<RunDetails>();
    QCOMPARE(detail->summary.name, u"first"_s);
    QCOMPARE(detail->summary.parameter(u"fit.optimizer")->text, u"adamw"_s);
    QCOMPARE(detail->summary.parameter(u"fit.epochs")->number, 15.0);
    QCOMPARE(detail->summary.metric(u"test.accuracy")->value, 0.986);
    QCOMPARE(detail->stages.size(), std::size_t(5));
    QCOMPARE(detail->stages.front().state, u"cached"_s);
    QVERIFY(detail->confusion);
    QCOMPARE(detail->confusion->counts[8][1], qint64(2));
    QCOMPARE(detail->checkpoints.size(), std::size_t(1));
    QVERIFY(detail->log.size() >= 6);
    QVERIFY(detail->series.contains(u"validation.loss"_s));
    QVERIFY(detail->pipelineText.contains(u"millrace/1"_s));

    // what the strip shows: at least once active, at last not
    QTRY_VERIFY(!progress.empty() && !progress.back().active);
    QVERIFY(progress.front().active);
    QCOMPARE(progress.back().run, run);
    QCOMPARE(progress.back().stages[u"digits"_s].state, StageState::Cached);
    QCOMPARE(progress.back().stages[u"fit"_s].state, StageState::Finished);
}

void TrackingTest::stopsAndResumes()
{
    Fixture f;
    f.open();
    const QString run = f.launch(u"endless"_s);
    QVERIFY(f.waitForState(run, protocol::RunState::Running));
    QVERIFY(!f.answerTo(f.tracking->stop(run), &Tracking::done).isEmpty());
    QVERIFY(f.waitForState(run, protocol::RunState::Stopped));
    QVERIFY(!f.answerTo(f.tracking->resume(run), &Tracking::launched).isEmpty());
    QVERIFY(f.waitForState(run, protocol::RunState::Running));
    QVERIFY(!f.answerTo(f.tracking->stop(run), &Tracking::done).isEmpty());
    QVERIFY(f.waitForState(run, protocol::RunState::Stopped));
}

void TrackingTest::saysWhyARunFailed()
{
    Fixture f;
    f.open();
    RunProgress last;
    connect(f.tracking.get(), &Tracking::progressChanged, this, [&](const RunProgress& p) { last = p; });
    const QString run = f.launch(u"failing"_s);
    QVERIFY(f.waitForState(run, protocol::RunState::Failed));
    QCOMPARE(f.summaryOf(run).cause, u"fit: The loss became NaN at step 12. Lower the learning rate and resume."_s);
    QTRY_COMPARE(last.state, u"failed"_s);
    QCOMPARE(last.stages[u"fit"_s].state, StageState::Failed);
    QVERIFY(last.stages[u"fit"_s].error.contains(u"NaN at step 12"_s));
}

void TrackingTest::findsARunAgainAfterItWasClosed()
{
    Fixture f;
    f.open();
    const QString run = f.launch(u"endless"_s);
    QVERIFY(f.waitForState(run, protocol::RunState::Running));
    f.tracking.reset();
    f.open();
    QCOMPARE(f.summaryOf(run).state, protocol::RunState::Running);
    QVERIFY(!f.answerTo(f.tracking->stop(run), &Tracking::done).isEmpty());
    QVERIFY(f.waitForState(run, protocol::RunState::Stopped));
}

void TrackingTest::seesAKilledRunnerWithinASecond()
{
    Fixture f;
    f.open();
    const QString run = f.launch(u"endless"_s);
    QVERIFY(f.waitForState(run, protocol::RunState::Running));
    QFile pid(QString::fromStdString(f.home.run(run.toStdString())->pid()));
    QVERIFY(pid.open(QIODevice::ReadOnly));
    QCOMPARE(::kill(pid.readAll().trimmed().toInt(), SIGKILL), 0);
    QElapsedTimer timer;
    timer.start();
    QVERIFY(f.waitForState(run, protocol::RunState::Failed));
    QVERIFY2(timer.elapsed() < 1000, qPrintable(QString::number(timer.elapsed())));
    QVERIFY(!f.summaryOf(run).cause.isEmpty());
}

void TrackingTest::deletesARun()
{
    Fixture f;
    f.open();
    const QString run = f.launch(u"gone"_s);
    QVERIFY(f.waitForState(run, protocol::RunState::Finished));
    QSignalSpy removed(f.tracking.get(), &Tracking::runsRemoved);
    // its registered model keeps a run from being deleted; the error says so
    const auto refused = f.answerTo(f.tracking->deleteRun(run), &Tracking::failed);
    QVERIFY(!refused.isEmpty());
    QVERIFY(refused[1].value<Error>().message.find("digits") != std::string::npos);

    const QString failing = f.launch(u"failing"_s);
    QVERIFY(f.waitForState(failing, protocol::RunState::Failed));
    QVERIFY(!f.answerTo(f.tracking->deleteRun(failing), &Tracking::done).isEmpty());
    QCOMPARE(removed.size(), 1);
    QCOMPARE(removed[0][0].toStringList(), QStringList{failing});
    QVERIFY(!exists(f.home.run(failing.toStdString())->path));
}

void TrackingTest::answersSeriesAndTelemetry()
{
    Fixture f;
    test::writeRun(f.home, {});
    f.open();
    const QString run = QString::fromStdString(test::MadeRun{}.id);
    QVERIFY(f.waitForState(run, protocol::RunState::Finished));
    const auto answer =
        f.answerTo(f.tracking->requestSeries(run, {u"validation.loss"_s, u"no.such"_s}, 0), &Tracking::seriesAnswered);
    const auto series = answer[2].value<SeriesList>();
    QCOMPARE(series->size(), std::size_t(2));
    QCOMPARE(series->at(0).steps.size(), std::size_t(15));
    QCOMPARE(series->at(0).steps.front(), 1.0);
    QVERIFY(series->at(0).values.front() > series->at(0).values.back());
    QVERIFY(series->at(1).steps.empty());
    const auto few = f.answerTo(f.tracking->requestSeries(run, {u"train.batch_loss"_s}, 20), &Tracking::seriesAnswered);
    QVERIFY(few[2].value<SeriesList>()->at(0).steps.size() <= 22);
    const auto telemetry =
        f.answerTo(f.tracking->requestTelemetry(run, 100), &Tracking::telemetryAnswered)[2].value<Telemetry>();
    QCOMPARE(telemetry->seconds.size(), std::size_t(15));
    QCOMPARE(telemetry->seconds.front(), 0.0);
    QVERIFY(telemetry->memoryBytes.back() > telemetry->memoryBytes.front());
}

void TrackingTest::writesMetricsAsCsv()
{
    Fixture f;
    test::writeRun(f.home, {});
    f.open();
    const QString run = QString::fromStdString(test::MadeRun{}.id);
    QVERIFY(f.waitForState(run, protocol::RunState::Finished));
    const QString path = f.folder.filePath(u"metrics.csv"_s);
    QVERIFY(!f.answerTo(f.tracking->exportMetrics(run, path), &Tracking::done).isEmpty());
    QFile file(path);
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QStringList lines = QString::fromUtf8(file.readAll()).split(u"\r\n"_s, Qt::SkipEmptyParts);
    QCOMPARE(lines.front(), u"metric,step,time_ms,value"_s);
    QCOMPARE(lines.size(), 1 + 15 * 9 + 15 * 5 + 1);
    QVERIFY(!f.answerTo(f.tracking->exportMetrics(run, u"/no/such/folder/metrics.csv"_s), &Tracking::failed).isEmpty());
}

void TrackingTest::listsModelsAndMovesAliases()
{
    Fixture f;
    test::writeRun(f.home, {});
    test::MadeRun second;
    second.id = "20260301-111500-000-bbbbbb";
    second.name = "calm-otter";
    test::writeRun(f.home, second);
    f.open();
    QVERIFY(f.waitForState(QString::fromStdString(second.id), protocol::RunState::Finished));
    const auto models =
        f.answerTo(f.tracking->requestModels(), &Tracking::modelsAnswered)[1].value<std::vector<ModelRow>>();
    QCOMPARE(models.size(), std::size_t(1));
    QCOMPARE(models[0].name, u"digits"_s);
    QCOMPARE(models[0].versions, qint64(2));
    QSignalSpy changed(f.tracking.get(), &Tracking::modelsChanged);
    QVERIFY(!f.answerTo(f.tracking->setAlias(u"digits"_s, u"best"_s, 1), &Tracking::done).isEmpty());
    QTRY_COMPARE(changed.size(), 1);
    const auto versions = f.answerTo(f.tracking->requestModelVersions(u"digits"_s), &Tracking::modelVersionsAnswered)[2]
                              .value<std::vector<ModelVersionRow>>();
    QCOMPARE(versions.size(), std::size_t(2));
    QCOMPARE(versions[0].version, qint64(2));
    QCOMPARE(versions[0].runName, u"calm-otter"_s);
    QVERIFY(versions[0].folder.endsWith(u"/artifacts/model"_s));
    QCOMPARE(versions[1].aliases, QStringList{u"best"_s});
    QVERIFY(!f.answerTo(f.tracking->setAlias(u"digits"_s, u"best"_s, 99), &Tracking::failed).isEmpty());
}

void TrackingTest::answersWithErrors()
{
    Fixture f;
    f.open();
    const auto missing = f.answerTo(f.tracking->requestRun(u"nobody"_s), &Tracking::failed);
    QVERIFY(!missing.isEmpty());
    QCOMPARE(missing[1].value<Error>().code, Code::NotFound);
    QVERIFY(!f.answerTo(f.tracking->resume(u"nobody"_s), &Tracking::failed).isEmpty());
    QVERIFY(!f.answerTo(f.tracking->stop(u"../.."_s), &Tracking::failed).isEmpty());
}

void TrackingTest::recoversADamagedDatabase()
{
    Fixture f;
    test::writeRun(f.home, {});
    QFile file(QString::fromStdString(f.home.database()));
    QVERIFY(file.open(QIODevice::WriteOnly));
    file.write(QByteArray(8192, 'x'));
    file.close();
    f.open();
    QSignalSpy broken(f.tracking.get(), &Tracking::databaseFailed), opened(f.tracking.get(), &Tracking::databaseOpened);
    QTRY_COMPARE(broken.size(), 1);
    QCOMPARE(broken[0][0].value<Error>().code, Code::Corrupt);
    QVERIFY(!f.answerTo(f.tracking->requestRuns(), &Tracking::failed).isEmpty());
    QVERIFY(!f.answerTo(f.tracking->recoverDatabase(), &Tracking::done).isEmpty());
    QTRY_COMPARE(opened.size(), 1);
    // the journals give everything back
    QVERIFY(f.waitForState(QString::fromStdString(test::MadeRun{}.id), protocol::RunState::Finished));
}

void TrackingTest::dropsLateAnswers()
{
    Fixture f;
    test::writeRun(f.home, {});
    f.open();
    const QString run = QString::fromStdString(test::MadeRun{}.id);
    QVERIFY(f.waitForState(run, protocol::RunState::Finished));
    Awaited awaited;
    QStringList taken;
    connect(f.tracking.get(), &Tracking::seriesAnswered, this,
            [&](RequestId request, const QString&, const SeriesList& series) {
                if (awaited.accept(request)) taken << series->front().name;
            });
    QSignalSpy all(f.tracking.get(), &Tracking::seriesAnswered);
    awaited.expect(f.tracking->requestSeries(run, {u"train.loss"_s}, 0));
    awaited.expect(f.tracking->requestSeries(run, {u"validation.loss"_s}, 0));
    QTRY_COMPARE(all.size(), 2);
    QCOMPARE(taken, QStringList{u"validation.loss"_s});
    QVERIFY(!awaited.isPending());
}

QTEST_GUILESS_MAIN(TrackingTest)
#include "tracking_test.moc"
