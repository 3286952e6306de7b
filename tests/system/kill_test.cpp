// Runners killed at random moments: the run fails within a second and says why, nothing that was stored is lost or
// doubled, the database stays whole, and the resumed run ends with the bits of an undisturbed one.
// MILLRACE_KILLS sets how many (default 15).
#include "storage/tracking_database.h"
#include "tests/system/command.h"

#include <csignal>

using namespace millrace;
using namespace millrace::test;

class KillTest : public QObject
{
    Q_OBJECT

private slots:
    void killedRunsResumeToTheSameBits();
    void aHangingRunnerIsFlagged();
    void theWatcherMayDie();
    void stopLeavesACheckpointToResumeFrom();

private:
    static QStringList arguments()
    {
        return {QStringLiteral("run"),    quickStart(),
                QStringLiteral("--json"), QStringLiteral("--no-cache"),
                QStringLiteral("--set"),  QStringLiteral("fit.epochs=5")};
    }
};

namespace {

using Series = std::map<std::string, std::vector<storage::Point>>;

storage::TrackingDatabase openDatabase(const Home& home)
{
    auto database = storage::TrackingDatabase::open((home.path() + QStringLiteral("/millrace.db")).toStdString());
    if (!database) qFatal("%s", database.error().toString().c_str());
    return std::move(*database);
}

Series allSeries(storage::TrackingDatabase& database, const std::string& run)
{
    Series all;
    const auto names = database.seriesNames(run);
    for (const auto& info : *names) all[info.name] = *database.series(run, info.name);
    return all;
}

// Every point of `before` stands in `after`, and no step of a series of `after` comes twice.
bool contains(const Series& after, const Series& before)
{
    for (const auto& [name, points] : before) {
        const auto found = after.find(name);
        if (found == after.end()) return false;
        std::map<std::int64_t, double> values;
        for (const auto& point : found->second)
            if (!values.emplace(point.step, point.value).second) return false;
        for (const auto& point : points)
            if (!values.contains(point.step) || values.at(point.step) != point.value) return false;
    }
    return true;
}

bool sameValues(const Series& a, const Series& b)
{
    if (a.size() != b.size()) return false;
    for (const auto& [name, points] : a) {
        const auto other = b.find(name);
        if (other == b.end() || other->second.size() != points.size()) return false;
        for (std::size_t i = 0; i < points.size(); ++i)
            if (points[i].step != other->second[i].step || points[i].value != other->second[i].value) return false;
    }
    return true;
}

// The pid of the runner of the only run that has one; 0 where there is none yet.
qint64 runnerPid(const Home& home)
{
    const QDir runs(home.path() + QStringLiteral("/runs"));
    for (const QString& run : runs.entryList(QDir::Dirs | QDir::NoDotAndDotDot)) {
        QFile file(runs.filePath(run) + QStringLiteral("/runner.pid"));
        if (file.open(QIODevice::ReadOnly)) return file.readAll().trimmed().toLongLong();
    }
    return 0;
}

QString onlyRun(const Home& home)
{
    return QDir(home.path() + QStringLiteral("/runs")).entryList(QDir::Dirs | QDir::NoDotAndDotDot).value(0);
}

} // namespace

void KillTest::killedRunsResumeToTheSameBits()
{
    const Home undisturbed;
    QElapsedTimer clock;
    clock.start();
    const Outcome reference = undisturbed.run(arguments());
    const qint64 duration = clock.elapsed();
    QVERIFY2(reference.status == 0, reference.errors.constData());
    const QString referenceRun = reference.json().value(QStringLiteral("run")).toString();
    const QByteArray bits = undisturbed.modelBytes(referenceRun);
    QVERIFY(!bits.isEmpty());
    auto referenceDatabase = openDatabase(undisturbed);
    const Series points = allSeries(referenceDatabase, referenceRun.toStdString());

    const int kills =
        qEnvironmentVariableIntValue("MILLRACE_KILLS") > 0 ? qEnvironmentVariableIntValue("MILLRACE_KILLS") : 15;
    QRandomGenerator random(7);
    int killed = 0;
    qint64 slowest = 0;
    for (int round = 0; killed < kills && round < 5 * kills; ++round) {
        const Home home;
        QProcess process;
        home.prepare(process);
        process.setArguments(arguments());
        clock.restart();
        process.start();
        const qint64 moment = random.bounded(int(duration));
        while (clock.elapsed() < moment || runnerPid(home) == 0) {
            if (process.state() == QProcess::NotRunning && clock.elapsed() > 100) break;
            QTest::qSleep(1);
        }
        const qint64 pid = runnerPid(home);
        if (pid == 0 || ::kill(static_cast<pid_t>(pid), SIGKILL) != 0) { // it had ended already
            process.waitForFinished();
            continue;
        }
        clock.restart();
        QVERIFY(process.waitForFinished(10000));
        const qint64 noticed = clock.elapsed();
        const auto result = QJsonDocument::fromJson(process.readAllStandardOutput()).object();
        if (result.value(QStringLiteral("state")).toString() == QStringLiteral("finished"))
            continue; // killed after its last word
        ++killed;
        slowest = std::max(slowest, noticed);
        QCOMPARE(result.value(QStringLiteral("state")).toString(), QStringLiteral("failed"));
        QVERIFY(result.value(QStringLiteral("cause"))
                    .toObject()
                    .value(QStringLiteral("message"))
                    .toString()
                    .contains(QStringLiteral("signal 9")));
        const QString run = result.value(QStringLiteral("run")).toString();
        auto database = openDatabase(home);
        QVERIFY(database.verify());
        const Series acknowledged = allSeries(database, run.toStdString());

        const Outcome resumed =
            home.run({QStringLiteral("run"), QStringLiteral("--resume"), run, QStringLiteral("--json")});
        QVERIFY2(resumed.status == 0, resumed.errors.constData());
        QVERIFY(database.verify());
        const Series final = allSeries(database, run.toStdString());
        QVERIFY2(contains(final, acknowledged), qPrintable(run));
        QVERIFY2(sameValues(final, points), qPrintable(run));
        QVERIFY2(home.modelBytes(run) == bits, qPrintable(run));
        if (killed % 20 == 0) qInfo("%d kills survived", killed);
    }
    QVERIFY(killed > 0);
    qInfo("%d kills: 0 points lost or doubled, database intact %d/%d, bits equal %d/%d, noticed within %lld ms", killed,
          killed, killed, killed, killed, slowest);
    QVERIFY(slowest < 5000); // the goal is 1000 ms; the machine may be shared
}

void KillTest::aHangingRunnerIsFlagged()
{
    const Home home;
    QProcess process;
    home.prepare(process);
    process.setArguments(arguments() + QStringList{QStringLiteral("--set"), QStringLiteral("fit.epochs=200")});
    process.start();
    QTRY_VERIFY_WITH_TIMEOUT(runnerPid(home) != 0, 10000);
    QTest::qSleep(1500);
    const auto pid = static_cast<pid_t>(runnerPid(home));
    QCOMPARE(::kill(pid, SIGSTOP), 0);
    QByteArray said;
    const auto isFlagged = [&] {
        said += process.readAllStandardError();
        return said.contains("may hang");
    };
    QTRY_VERIFY2_WITH_TIMEOUT(isFlagged(), said.constData(), 25000);
    QCOMPARE(::kill(pid, SIGCONT), 0);
    QCOMPARE(::kill(pid, SIGKILL), 0);
    QVERIFY(process.waitForFinished(5000));
}

void KillTest::theWatcherMayDie()
{
    const Home home;
    QProcess process;
    home.prepare(process);
    process.setArguments(arguments());
    process.start();
    QTRY_VERIFY_WITH_TIMEOUT(runnerPid(home) != 0, 10000);
    process.kill();
    process.waitForFinished();
    const QString run = onlyRun(home);
    const Outcome watched = home.run({QStringLiteral("runs"), QStringLiteral("watch"), run});
    QVERIFY2(watched.status == 0, watched.errors.constData());
    const auto shown = home.run({QStringLiteral("runs"), QStringLiteral("show"), run, QStringLiteral("--json")}).json();
    QCOMPARE(shown.value(QStringLiteral("state")).toString(), QStringLiteral("finished"));
}

void KillTest::stopLeavesACheckpointToResumeFrom()
{
    const Home undisturbed;
    const QStringList longer = arguments() + QStringList{QStringLiteral("--set"), QStringLiteral("fit.epochs=12")};
    const Outcome reference = undisturbed.run(longer);
    QVERIFY2(reference.status == 0, reference.errors.constData());

    const Home home;
    QProcess process;
    home.prepare(process);
    process.setArguments(longer);
    process.start();
    const auto journal = [&] {
        QFile file(home.path() + QStringLiteral("/runs/") + onlyRun(home) + QStringLiteral("/journal.jsonl"));
        return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
    };
    QTRY_VERIFY_WITH_TIMEOUT(journal().contains("train.loss"), 20000);
    const QString run = onlyRun(home);
    const Outcome stopped = home.run({QStringLiteral("runs"), QStringLiteral("stop"), run});
    QVERIFY2(stopped.status == 0, stopped.errors.constData());
    process.waitForFinished();
    QCOMPARE(process.exitCode(), 1);
    const auto shown = home.run({QStringLiteral("runs"), QStringLiteral("show"), run, QStringLiteral("--json")}).json();
    QCOMPARE(shown.value(QStringLiteral("state")).toString(), QStringLiteral("stopped"));
    QVERIFY(!shown.value(QStringLiteral("checkpoints")).toArray().isEmpty());
    const Outcome resumed =
        home.run({QStringLiteral("run"), QStringLiteral("--resume"), run, QStringLiteral("--json")});
    QVERIFY2(resumed.status == 0, resumed.errors.constData());
    QCOMPARE(home.modelBytes(run), undisturbed.modelBytes(reference.json().value(QStringLiteral("run")).toString()));
}

QTEST_GUILESS_MAIN(KillTest)
#include "kill_test.moc"
