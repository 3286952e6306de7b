// Runners as real processes on this computer: launched, outliving their launcher, stopped, killed, followed, buried.
#include "cluster/local_target.h"
#include "engine/protocol/journal.h"
#include "engine/protocol/run_id.h"
#include "kernels/base/text.h"
#include "storage/run_follower.h"

#include <QElapsedTimer>
#include <QProcess>
#include <QTemporaryDir>
#include <QtTest>
#include <csignal>
#include <fcntl.h>

using namespace millrace;
using namespace millrace::cluster;
using namespace millrace::storage;

namespace {
constexpr int kWaitMs = 10'000;

protocol::Job jobNamed(const std::string& name)
{
    protocol::Job job;
    job.run = protocol::newRunId();
    job.name = name;
    job.pipelineText = R"({"format": "millrace/1", "name": "Sample", "nodes": [], "links": []})";
    return job;
}

std::vector<std::string> statesIn(const protocol::RunFolder& folder)
{
    std::vector<std::string> states;
    const auto events = protocol::JournalReader(folder.journal()).readNew();
    if (!events) return {events.error().message};
    for (const protocol::Event& event : *events) states.push_back(event.fields.value("state", event.kind));
    return states;
}
} // namespace

class ClusterLocalTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void cleanup();
    void aRunStopsWhenAsked();
    void exitStatusIsReported_data();
    void exitStatusIsReported();
    void aRunOutlivesItsLauncher();
    void whatCannotStartLeavesNoFolder();
    void aRunningRunIsNotStartedTwice();
    void aStoppedRunResumes();
    void aKilledRunnerIsNoticedWithinASecond();
    void theCauseSaysHowItEnded();
    void twoFollowersBuryOnce();
    void aTornTailIsCut();

private:
    LaunchedRun launch(const std::string& name);
    bool waitForState(const protocol::RunFolder& folder, const char* state);
    Run runAfterPolls(RunFollower& follower, TrackingDatabase& database, const std::string& id, protocol::RunState);

    std::unique_ptr<QTemporaryDir> m_folder;
    protocol::Home m_home;
    std::unique_ptr<LocalTarget> m_target;
    std::vector<protocol::RunFolder> m_launched;
};

void ClusterLocalTest::init()
{
    m_folder = std::make_unique<QTemporaryDir>();
    m_home = protocol::Home{m_folder->path().toStdString()};
    m_target = std::make_unique<LocalTarget>(m_home, SAMPLE_RUNNER);
}

void ClusterLocalTest::cleanup()
{
    for (const protocol::RunFolder& folder : m_launched)
        if (exists(folder.path)) QVERIFY(killRunner(folder));
    m_launched.clear();
}

LaunchedRun ClusterLocalTest::launch(const std::string& name)
{
    auto launched = m_target->launch(jobNamed(name));
    if (!launched) qFatal("%s", launched.error().message.c_str());
    m_launched.push_back(launched->folder);
    return std::move(*launched);
}

bool ClusterLocalTest::waitForState(const protocol::RunFolder& folder, const char* state)
{
    return QTest::qWaitFor(
        [&] {
            const auto states = statesIn(folder);
            return !states.empty() && states.back() == state;
        },
        kWaitMs);
}

Run ClusterLocalTest::runAfterPolls(RunFollower& follower, TrackingDatabase& database, const std::string& id,
                                    protocol::RunState state)
{
    Run run;
    (void)QTest::qWaitFor(
        [&] {
            const auto polled = follower.poll();
            if (!polled) qFatal("%s", polled.error().message.c_str());
            if (const auto found = database.run(id)) run = *found;
            return run.state == state;
        },
        kWaitMs);
    return run;
}

void ClusterLocalTest::aRunStopsWhenAsked()
{
    const LaunchedRun run = launch("sleep");
    QVERIFY(waitForState(run.folder, "running"));
    QCOMPARE(protocol::runnerPid(run.folder), std::optional(run.pid));
    QVERIFY(m_target->ended().empty());
    QVERIFY(requestStop(run.folder));
    std::vector<EndedRunner> ended;
    QVERIFY(QTest::qWaitFor([&] { return !(ended = m_target->ended()).empty(); }, kWaitMs));
    QCOMPARE(ended.front().run, run.job.run);
    QCOMPARE(ended.front().status, protocol::ExitStatus{});
    QCOMPARE(statesIn(run.folder).back(), std::string("stopped"));
    QVERIFY(!protocol::runnerPid(run.folder));
    QVERIFY(requestStop(run.folder)); // nobody there: nothing to do
    QVERIFY(killRunner(run.folder));
    QVERIFY(!requestStop(protocol::RunFolder{m_home.runs() + "/nowhere"}));
}

void ClusterLocalTest::exitStatusIsReported_data()
{
    QTest::addColumn<QString>("name");
    QTest::addColumn<QString>("words");
    QTest::newRow("done") << QStringLiteral("exit-0") << QStringLiteral("ended with status 0");
    QTest::newRow("failed") << QStringLiteral("exit-3") << QStringLiteral("ended with status 3");
    QTest::newRow("killed") << QStringLiteral("sleep") << QStringLiteral("was killed by signal 9 (Killed)");
}

void ClusterLocalTest::exitStatusIsReported()
{
    QFETCH(QString, name);
    QFETCH(QString, words);
    const LaunchedRun run = launch(name.toStdString());
    QVERIFY(waitForState(run.folder, "running"));
    if (name == QStringLiteral("sleep")) QVERIFY(killRunner(run.folder));
    std::vector<EndedRunner> ended;
    QVERIFY(QTest::qWaitFor([&] { return !(ended = m_target->ended()).empty(); }, kWaitMs));
    QCOMPARE(ended.size(), std::size_t(1));
    QCOMPARE(QString::fromStdString(ended.front().status.toString()), words);
    QVERIFY(m_target->ended().empty()); // said once
}

void ClusterLocalTest::aRunOutlivesItsLauncher()
{
    const std::string id = protocol::newRunId();
    const auto folder = m_home.run(id);
    m_launched.push_back(*folder);
    QProcess launcher;
    launcher.start(QStringLiteral(SAMPLE_LAUNCHER),
                   {m_folder->path(), QStringLiteral(SAMPLE_RUNNER), QString::fromStdString(id)});
    QVERIFY(launcher.waitForReadyRead(kWaitMs));
    QCOMPARE(launcher.readAllStandardOutput().trimmed(), QByteArray("launched"));
    QVERIFY(waitForState(*folder, "running"));
    launcher.kill();
    QVERIFY(launcher.waitForFinished(kWaitMs));
    QTest::qWait(100);
    QVERIFY(protocol::runnerPid(*folder).has_value());
    QVERIFY(requestStop(*folder)); // by another process than the one that launched it
    QVERIFY(waitForState(*folder, "stopped"));
}

void ClusterLocalTest::whatCannotStartLeavesNoFolder()
{
    LocalTarget nowhere(m_home, m_home.path + "/no-such-runner");
    const auto launched = nowhere.launch(jobNamed("sleep"));
    QVERIFY(!launched);
    QCOMPARE(launched.error().code, Code::NotFound);
    QVERIFY(launched.error().message.find("no-such-runner") != std::string::npos);
    QVERIFY(listDirectory(m_home.runs())->empty());
}

void ClusterLocalTest::aRunningRunIsNotStartedTwice()
{
    const LaunchedRun run = launch("sleep");
    QVERIFY(waitForState(run.folder, "running"));
    const auto again = m_target->resume(run.job.run);
    QVERIFY(!again);
    QCOMPARE(again.error().code, Code::Busy);
    const auto same = m_target->launch(run.job);
    QVERIFY(!same);
    QCOMPARE(same.error().code, Code::AlreadyExists);
    QVERIFY(protocol::runnerPid(run.folder).has_value());
    const auto unknown = m_target->resume("nobody");
    QVERIFY(!unknown);
    QCOMPARE(unknown.error().code, Code::NotFound);
}

void ClusterLocalTest::aStoppedRunResumes()
{
    const LaunchedRun run = launch("sleep");
    QVERIFY(waitForState(run.folder, "running"));
    QVERIFY(requestStop(run.folder));
    QVERIFY(waitForState(run.folder, "stopped"));
    const auto resumed = m_target->resume(run.job.run);
    QVERIFY2(resumed.has_value(), resumed ? "" : resumed.error().message.c_str());
    QVERIFY(resumed->job.resume);
    QVERIFY(!exists(run.folder.stopRequest()));
    QVERIFY(waitForState(run.folder, "running"));
    QCOMPARE(statesIn(run.folder).size(), std::size_t(6)); // one journal, its seq going on
}

void ClusterLocalTest::aKilledRunnerIsNoticedWithinASecond()
{
    const LaunchedRun run = launch("sleep");
    auto database = TrackingDatabase::open(m_home.database());
    QVERIFY(database.has_value());
    RunFollower follower(m_home, *database);
    QCOMPARE(runAfterPolls(follower, *database, run.job.run, protocol::RunState::Running).state,
             protocol::RunState::Running);
    QVERIFY(killRunner(run.folder));
    QElapsedTimer timer;
    timer.start();
    const Run dead = runAfterPolls(follower, *database, run.job.run, protocol::RunState::Failed);
    const qint64 tookMs = timer.elapsed();
    QCOMPARE(dead.state, protocol::RunState::Failed);
    QVERIFY2(tookMs < 1000, str(tookMs, " ms").c_str());
    QVERIFY(dead.cause.has_value());
    QCOMPARE(dead.cause->code, Code::ProcessDied);
    QVERIFY(dead.cause->message.find("nobody saw how it ended") != std::string::npos);
    QVERIFY(dead.cause->message.find("the runner's last words") != std::string::npos);
    QVERIFY(dead.cause->advice.find("--resume " + run.job.run) != std::string::npos);
    QCOMPARE(statesIn(run.folder), (std::vector<std::string>{"starting", "running", "failed"}));
}

void ClusterLocalTest::theCauseSaysHowItEnded()
{
    const LaunchedRun run = launch("exit-3");
    auto database = TrackingDatabase::open(m_home.database());
    QVERIFY(database.has_value());
    RunFollower follower(m_home, *database);
    QVERIFY(waitForState(run.folder, "running"));
    std::vector<EndedRunner> ended;
    QVERIFY(QTest::qWaitFor([&] { return !(ended = m_target->ended()).empty(); }, kWaitMs));
    follower.noteExit(run.job.run, ended.front().status);
    const Run dead = runAfterPolls(follower, *database, run.job.run, protocol::RunState::Failed);
    QVERIFY(dead.cause.has_value());
    QVERIFY2(dead.cause->message.find("ended with status 3") != std::string::npos, dead.cause->message.c_str());
}

void ClusterLocalTest::twoFollowersBuryOnce()
{
    auto first = TrackingDatabase::open(m_home.database()), second = TrackingDatabase::open(m_home.database());
    QVERIFY(first.has_value() && second.has_value());
    RunFollower one(m_home, *first), two(m_home, *second);
    std::vector<LaunchedRun> runs;
    for (int i = 0; i < 3; ++i) runs.push_back(launch("sleep"));
    for (const LaunchedRun& run : runs) QVERIFY(waitForState(run.folder, "running"));
    for (const LaunchedRun& run : runs) QVERIFY(killRunner(run.folder));
    const auto areDead = [](TrackingDatabase& database) {
        RunQuery query;
        query.state = protocol::RunState::Failed;
        return database.runs(query)->size() == 3;
    };
    QVERIFY(QTest::qWaitFor(
        [&] {
            const auto a = one.poll(), b = two.poll();
            return a && b && areDead(*first) && areDead(*second);
        },
        kWaitMs));
    for (int i = 0; i < 3; ++i) QVERIFY(one.poll() && two.poll());
    for (const LaunchedRun& run : runs) {
        QCOMPARE(statesIn(run.folder), (std::vector<std::string>{"starting", "running", "failed"}));
        QCOMPARE(first->run(run.job.run)->lastSeq, std::int64_t(3));
    }
}

void ClusterLocalTest::aTornTailIsCut()
{
    const LaunchedRun run = launch("sleep");
    QVERIFY(waitForState(run.folder, "running"));
    QVERIFY(killRunner(run.folder));
    QVERIFY(QTest::qWaitFor([&] { return !m_target->ended().empty(); }, kWaitMs));
    {
        // what a power cut leaves of a line
        const auto journal = FileHandle::open(run.folder.journal(), O_WRONLY | O_APPEND);
        QVERIFY(journal->writeAll(R"({"seq": 3, "t": 17600000)"));
    }
    auto database = TrackingDatabase::open(m_home.database());
    RunFollower follower(m_home, *database);
    const Run dead = runAfterPolls(follower, *database, run.job.run, protocol::RunState::Failed);
    QCOMPARE(dead.state, protocol::RunState::Failed);
    QCOMPARE(dead.lastSeq, std::int64_t(3));
    QCOMPARE(statesIn(run.folder), (std::vector<std::string>{"starting", "running", "failed"}));
}

QTEST_GUILESS_MAIN(ClusterLocalTest)
#include "local_test.moc"
