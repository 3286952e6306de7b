// What crosses a process boundary: states, events, jobs, ids, homes and the claim to a run folder.
#include "engine/protocol/event.h"
#include "engine/protocol/exit_status.h"
#include "engine/protocol/home.h"
#include "engine/protocol/job.h"
#include "engine/protocol/progress.h"
#include "engine/protocol/run_id.h"
#include "engine/protocol/run_state.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <csignal>
#include <set>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace millrace;
using namespace millrace::protocol;

class ProtocolValuesTest : public QObject
{
    Q_OBJECT

private slots:
    void movesAreThoseOfTheDrawing();
    void stateNamesReadBack();
    void eventReadsBack();
    void metricsThatAreNoNumbersReadBack();
    void textThatIsNoUtf8DoesNotStopAnEvent();
    void badEventsAreRefused_data();
    void badEventsAreRefused();
    void errorReadsBack();
    void progressLeavesOutWhatIsUnknown();
    void jobReadsBackWithThePipelinesKeyOrder();
    void badJobsAreRefused_data();
    void badJobsAreRefused();
    void idsSortByTimeAndAreContained();
    void homeFollowsTheEnvironment();
    void onlyOneProcessClaimsARun();
    void exitStatusSpeaksInWords();
};

void ProtocolValuesTest::movesAreThoseOfTheDrawing()
{
    const std::vector<std::string> arrows{
        "queued>starting",  "queued>failed",    "queued>stopped",    "starting>running", "starting>failed",
        "starting>stopped", "running>finished", "running>stopping",  "running>lost",     "running>failed",
        "running>stopped",  "stopping>stopped", "stopping>finished", "stopping>failed",  "lost>running",
        "lost>starting",    "failed>starting",  "stopped>starting"};
    std::set<std::string> expected(arrows.begin(), arrows.end());
    for (int from = 0; from <= static_cast<int>(RunState::Lost); ++from)
        for (int to = 0; to <= static_cast<int>(RunState::Lost); ++to) {
            const auto a = static_cast<RunState>(from), b = static_cast<RunState>(to);
            const std::string arrow = str(name(a), ">", name(b));
            QVERIFY2(canMove(a, b) == expected.contains(arrow), arrow.c_str());
        }
}

void ProtocolValuesTest::stateNamesReadBack()
{
    int terminal = 0;
    for (int i = 0; i <= static_cast<int>(RunState::Lost); ++i) {
        const auto state = static_cast<RunState>(i);
        QVERIFY(runStateFromName(name(state)) == state);
        terminal += isTerminal(state);
    }
    QCOMPARE(terminal, 3);
    QVERIFY(!runStateFromName("dozing"));
}

void ProtocolValuesTest::eventReadsBack()
{
    const Event event{
        41, 1760000000123, 5211, "log", {{"level", "info"}, {"text", "a \"line\"\nand more"}, {"new", {1, 2}}}};
    const std::string line = toLine(event);
    QVERIFY(line.starts_with(R"({"seq":41,"t":1760000000123,"m":5211,"kind":"log",)"));
    QCOMPARE(line.find('\n'), std::string::npos);
    const auto read = parseEvent(line);
    QVERIFY(read.has_value());
    QCOMPARE(read->seq, event.seq);
    QCOMPARE(read->timeMs, event.timeMs);
    QCOMPARE(read->monotonicMs, event.monotonicMs);
    QCOMPARE(read->kind, event.kind);
    QVERIFY(read->fields == event.fields);
}

void ProtocolValuesTest::metricsThatAreNoNumbersReadBack()
{
    QVERIFY(std::isnan(*metricValueFrom(metricValue(std::nan("")))));
    for (const double value : {0.1, -1e300, HUGE_VAL, -HUGE_VAL, 5e-324})
        QCOMPARE(*metricValueFrom(nlohmann::json::parse(metricValue(value).dump())), value);
    QVERIFY(!metricValueFrom("nan"));
    QVERIFY(!metricValueFrom(nullptr));
}

void ProtocolValuesTest::textThatIsNoUtf8DoesNotStopAnEvent()
{
    const auto read = parseEvent(toLine({1, 0, 0, "log", {{"text", "broken \xff\xfe text"}}}));
    QVERIFY(read.has_value());
    QVERIFY(isUtf8(read->fields["text"].get<std::string>()));
}

void ProtocolValuesTest::badEventsAreRefused_data()
{
    QTest::addColumn<QByteArray>("line");
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("array") << QByteArray("[1]");
    QTest::newRow("torn") << QByteArray(R"({"seq":1,"t":2,"ki)");
    QTest::newRow("no seq") << QByteArray(R"({"t":2,"kind":"log"})");
    QTest::newRow("seq 0") << QByteArray(R"({"seq":0,"t":2,"kind":"log"})");
    QTest::newRow("seq text") << QByteArray(R"({"seq":"1","t":2,"kind":"log"})");
    QTest::newRow("seq too large") << QByteArray(R"({"seq":18446744073709551615,"t":2,"kind":"log"})");
    QTest::newRow("no t") << QByteArray(R"({"seq":1,"kind":"log"})");
    QTest::newRow("no kind") << QByteArray(R"({"seq":1,"t":2})");
    QTest::newRow("deep") << QByteArray(R"({"seq":1,"t":2,"kind":"log","x":)") + QByteArray(100000, '[');
    QTest::newRow("zeros") << QByteArray(64, '\0');
}

void ProtocolValuesTest::badEventsAreRefused()
{
    QFETCH(const QByteArray, line);
    const auto event = parseEvent(std::string_view(line.constData(), static_cast<std::size_t>(line.size())));
    QVERIFY(!event);
    QCOMPARE(event.error().code, Code::InvalidFormat);
}

void ProtocolValuesTest::errorReadsBack()
{
    Error error = makeError(Code::Diverged, "The loss is NaN.").advise("Lower the rate.");
    error.subject = {"a.csv", 3, 7, "fit", "epochs", "r1", "h1"};
    const Error read = errorFromJson(nlohmann::json::parse(errorToJson(error).dump()));
    QCOMPARE(read.code, error.code);
    QCOMPARE(read.message, error.message);
    QCOMPARE(read.advice, error.advice);
    QVERIFY(read.subject == error.subject);
    QCOMPARE(errorFromJson(nlohmann::json("nonsense")).code, Code::Internal);
}

void ProtocolValuesTest::progressLeavesOutWhatIsUnknown()
{
    Progress progress;
    progress.step = 30;
    progress.steps = 120;
    progress.loss = 0.5;
    QCOMPARE(toJson(progress).size(), std::size_t{3});
    QVERIFY(progressFromJson(toJson(progress)) == progress);
    QCOMPARE(*progress.fraction(), 0.25);
    QVERIFY(!progressFromJson({{"step", "three"}}).step);
    QVERIFY(!Progress().fraction());
}

namespace {
constexpr const char* kPipeline = R"({
  "format": "millrace/1",
  "name": "Two",
  "nodes": [
    {"id": "rows", "type": "data.csv", "at": [0, 0], "params": {"path": "z.csv", "delimiter": ";", "aaa": 1}}
  ],
  "links": []
})";

Job sampleJob()
{
    Job job;
    job.run = "20251121-030712-482-9f3ac2";
    job.name = "brisk-heron";
    job.pipelineText = kPipeline;
    job.baseDirectory = "/data";
    job.cacheDirectory = "/cache";
    job.resourceDirectory = "/resources";
    job.threads = 2;
    job.useCache = false;
    return job;
}
} // namespace

void ProtocolValuesTest::jobReadsBackWithThePipelinesKeyOrder()
{
    Job job = sampleJob();
    const auto first = jobFromText(toText(job)); // the pipeline's text becomes canonical
    QVERIFY2(first.has_value(), first ? "" : first.error().toString().c_str());
    job.pipelineText = first->pipelineText;
    const auto second = jobFromText(toText(job));
    QVERIFY(second.has_value());
    QCOMPARE(second->pipelineText, first->pipelineText);
    QVERIFY(first->pipelineText.find("delimiter") < first->pipelineText.find("aaa"));
    QCOMPARE(second->run, job.run);
    QCOMPARE(second->baseDirectory, job.baseDirectory);
    QCOMPARE(second->threads, 2);
    QCOMPARE(second->useCache, false);
    QCOMPARE(second->resume, false);
}

void ProtocolValuesTest::badJobsAreRefused_data()
{
    QTest::addColumn<QByteArray>("from");
    QTest::addColumn<QByteArray>("to");
    QTest::addColumn<int>("code");
    const auto row = [](const char* name, const char* from, const char* to, Code code) {
        QTest::newRow(name) << QByteArray(from) << QByteArray(to) << static_cast<int>(code);
    };
    row("newer", "millrace-job/1", "millrace-job/7", Code::NewerFormat);
    row("other", "millrace-job/1", "something", Code::InvalidFormat);
    row("run leads out", "20251121-030712-482-9f3ac2", "../../etc", Code::InvalidFormat);
    row("threads", "\"threads\": 2", "\"threads\": -1", Code::InvalidFormat);
    row("resume", "\"resume\": false", "\"resume\": 0", Code::InvalidFormat);
    row("pipeline", "\"pipeline\"", "\"pipelime\"", Code::InvalidFormat);
    row("no JSON", "{", "<", Code::InvalidFormat);
}

void ProtocolValuesTest::badJobsAreRefused()
{
    QFETCH(const QByteArray, from);
    QFETCH(const QByteArray, to);
    QFETCH(const int, code);
    const QByteArray text = QByteArray::fromStdString(toText(sampleJob()));
    QVERIFY(text.contains(from));
    const auto job = jobFromText(QByteArray(text).replace(from, to).toStdString());
    QVERIFY(!job);
    QCOMPARE(static_cast<int>(job.error().code), code);
}

void ProtocolValuesTest::idsSortByTimeAndAreContained()
{
    const std::int64_t before = unixMilliseconds();
    const std::string first = newRunId();
    QTest::qSleep(2);
    const std::string second = newRunId();
    QVERIFY(first < second);
    QVERIFY(isRunId(first));
    const auto time = timeOfRunId(first);
    QVERIFY(time && *time >= before && *time <= unixMilliseconds());
    for (const char* bad : {"", "..", ".trash-a", "a/b", "-a", "a b", "a\n", "\xc3\xa4"}) QVERIFY2(!isRunId(bad), bad);
    QVERIFY(!isRunId(std::string(65, 'a')));
    QVERIFY(!timeOfRunId("mine"));
    std::set<std::string> names;
    for (int i = 0; i < 200; ++i) names.insert(newRunName());
    QVERIFY(names.size() > 150);
}

void ProtocolValuesTest::homeFollowsTheEnvironment()
{
    QTemporaryDir folder;
    const std::string base = folder.path().toStdString();
    qputenv("HOME", folder.path().toUtf8());
    qunsetenv("MILLRACE_HOME");
    qputenv("XDG_DATA_HOME", "relative/is/ignored");
    QCOMPARE(Home::fromEnvironment()->path, base + "/.local/share/millrace");
    qputenv("XDG_DATA_HOME", folder.filePath(QStringLiteral("x")).toUtf8());
    QCOMPARE(Home::fromEnvironment()->path, base + "/x/millrace");
    qputenv("MILLRACE_HOME", folder.filePath(QStringLiteral("mine")).toUtf8());
    const Home home = *Home::fromEnvironment();
    QCOMPARE(home.path, base + "/mine");
    QVERIFY(home.create().has_value());
    struct stat status
    {
    };
    QCOMPARE(::stat(home.path.c_str(), &status), 0);
    QCOMPARE(status.st_mode & 0777u, 0700u);
    QCOMPARE(home.run("abc")->path, base + "/mine/runs/abc");
    QCOMPARE(home.run("../x").error().code, Code::InvalidArgument);
    for (const char* name : {"MILLRACE_HOME", "XDG_DATA_HOME", "HOME"}) qunsetenv(name);
    QCOMPARE(Home::fromEnvironment().error().code, Code::InvalidArgument);
}

void ProtocolValuesTest::onlyOneProcessClaimsARun()
{
    QTemporaryDir temporary;
    const RunFolder folder{temporary.path().toStdString()};
    QVERIFY(!runnerPid(folder));
    {
        const auto claim = claimRun(folder);
        QVERIFY(claim.has_value());
        QCOMPARE(*runnerPid(folder), ::getpid());
        QCOMPARE(claimRun(folder).error().code, Code::Busy);
    }
    // runner.pid still names this process, which lives but no longer holds the lock
    QVERIFY(!runnerPid(folder));
    QVERIFY(claimRun(folder).has_value());
}

void ProtocolValuesTest::exitStatusSpeaksInWords()
{
    const pid_t killed = ::fork();
    if (killed == 0) ::pause();
    ::kill(killed, SIGKILL);
    int status = 0;
    QCOMPARE(::waitpid(killed, &status, 0), killed);
    QCOMPARE(ExitStatus::fromWait(status).toString(), std::string("was killed by signal 9 (Killed)"));
    const pid_t ended = ::fork();
    if (ended == 0) ::_exit(3);
    QCOMPARE(::waitpid(ended, &status, 0), ended);
    QCOMPARE(ExitStatus::fromWait(status).toString(), std::string("ended with status 3"));
}

QTEST_GUILESS_MAIN(ProtocolValuesTest)
#include "values_test.moc"
