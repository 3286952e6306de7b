// What goes into the tracking database comes out once and whole: ingest, resumes, series, runs, size.
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "tests/storage/samples.h"

#include <QFileInfo>
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <limits>

using namespace millrace;
using namespace millrace::storage;
using namespace millrace::storage::samples;

class StorageDatabaseTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void theSameEventsTwiceAreStoredOnce();
    void aGapIsRefusedAndTheRunsBeforeItAreStored();
    void aResumedRunDoesNotDoubleItsPoints();
    void valuesThatAreNoNumbersComeBack();
    void oddEventsHarmNothing();
    void twoStagesWithTheSameMetricKeepTheirOwnSeries();
    void bucketsKeepTheExtremes_data();
    void bucketsKeepTheExtremes();
    void runsAreFoundByIdNameAndBeginning();
    void namesThatAreTakenAreNumbered();
    void deletingARunRemovesItsRowsAlone();
    void aForgottenRunReadsAgain();
    void aPointTakesFewBytes();

private:
    std::string path() const { return m_folder->filePath(QStringLiteral("millrace.db")).toStdString(); }
    std::size_t points(const std::string& run) { return m_database->series(run, "train.loss")->size(); }

    std::unique_ptr<QTemporaryDir> m_folder;
    std::optional<TrackingDatabase> m_database;
};

#define VERIFY_OK(expression)                                                                                          \
    do {                                                                                                               \
        const auto result_ = (expression);                                                                             \
        QVERIFY2(result_.has_value(), result_ ? "" : result_.error().message.c_str());                                 \
    } while (false)

void StorageDatabaseTest::init()
{
    m_database.reset();
    m_folder = std::make_unique<QTemporaryDir>();
    auto opened = TrackingDatabase::open(path());
    QVERIFY2(opened.has_value(), opened ? "" : opened.error().message.c_str());
    m_database.emplace(std::move(*opened));
    VERIFY_OK(m_database->createRun(newRun("a")));
}

void StorageDatabaseTest::theSameEventsTwiceAreStoredOnce()
{
    const std::vector<protocol::Event> events{state(1, "running"),
                                              loss(2, 1, 0.5),
                                              said(3, "log", {{"level", "info"}, {"text", "hello"}}),
                                              model(4, "digits", "aa", "best"),
                                              said(5, "checkpoint", {{"stage", "fit"}, {"step", 1}}),
                                              state(6, "finished")};
    for (int i = 0; i < 2; ++i) {
        VERIFY_OK(m_database->ingest("a", events, 600));
        QCOMPARE(points("a"), std::size_t(1));
        QCOMPARE(m_database->logs("a")->size(), std::size_t(1));
        QCOMPARE(m_database->artifacts("a")->size(), std::size_t(1));
        QCOMPARE(m_database->checkpoints("a")->size(), std::size_t(1));
        QCOMPARE(m_database->modelVersions("digits")->size(), std::size_t(1));
        const auto run = m_database->run("a");
        QCOMPARE(run->state, protocol::RunState::Finished);
        QCOMPARE(run->lastSeq, std::int64_t(6));
        QCOMPARE(run->journalOffset, std::uint64_t(600));
        QCOMPARE(run->endedMs, kCreatedMs + 60);
    }
    // what overlaps is skipped, what is new is stored
    VERIFY_OK(m_database->ingest("a", std::vector{state(6, "finished"), loss(7, 2, 0.25)}, 700));
    QCOMPARE(points("a"), std::size_t(2));
}

void StorageDatabaseTest::aGapIsRefusedAndTheRunsBeforeItAreStored()
{
    VERIFY_OK(m_database->createRun(newRun("b")));
    const std::vector<RunEvents> news{{"a", {loss(1, 1, 1)}, 10}, {"b", {loss(1, 1, 1), loss(3, 3, 1)}, 20}};
    const auto stored = m_database->ingest(news);
    QVERIFY(!stored);
    QCOMPARE(stored.error().code, Code::InvalidArgument);
    QCOMPARE(stored.error().subject.run, std::string("b"));
    QCOMPARE(points("a"), std::size_t(1));
    QCOMPARE(points("b"), std::size_t(0));
    const auto unknown = m_database->ingest("nobody", std::vector{loss(1, 1, 1)});
    QVERIFY(!unknown);
    QCOMPARE(unknown.error().code, Code::NotFound);
}

void StorageDatabaseTest::aResumedRunDoesNotDoubleItsPoints()
{
    std::vector<protocol::Event> events;
    for (std::int64_t step = 1; step <= 10; ++step)
        events.push_back(loss(step, step, 10.0 - static_cast<double>(step)));
    VERIFY_OK(m_database->ingest("a", events));
    // killed after step 10, resumed from the checkpoint of step 6: new events say steps 7 to 12
    events = {state(11, "starting"), state(12, "running")};
    for (std::int64_t step = 7; step <= 12; ++step)
        events.push_back(loss(6 + step, step, 20.0 - static_cast<double>(step)));
    VERIFY_OK(m_database->ingest("a", events));
    const auto series = m_database->series("a", "train.loss");
    VERIFY_OK(series);
    QCOMPARE(series->size(), std::size_t(12));
    for (std::size_t i = 0; i < series->size(); ++i) {
        const auto step = static_cast<std::int64_t>(i) + 1;
        QCOMPARE((*series)[i].step, step);
        QCOMPARE((*series)[i].value, (step < 7 ? 10.0 : 20.0) - static_cast<double>(step));
    }
}

void StorageDatabaseTest::valuesThatAreNoNumbersComeBack()
{
    const double infinity = std::numeric_limits<double>::infinity();
    VERIFY_OK(m_database->ingest(
        "a", std::vector{loss(1, 1, infinity), loss(2, 2, -infinity), loss(3, 3, std::nan("")), loss(4, 4, -0.0),
                         loss(5, 5, std::numeric_limits<double>::denorm_min()), loss(6, 6, std::nan(""))}));
    const auto series = m_database->series("a", "train.loss");
    QCOMPARE(series->size(), std::size_t(6));
    QCOMPARE((*series)[0].value, infinity);
    QCOMPARE((*series)[1].value, -infinity);
    QVERIFY(std::isnan((*series)[2].value));
    QVERIFY((*series)[4].value == std::numeric_limits<double>::denorm_min());
    QVERIFY(std::isnan(m_database->lastMetrics("a")->at("train.loss")));
    QVERIFY(std::isnan(m_database->seriesNames("a")->front().lastValue));
}

void StorageDatabaseTest::oddEventsHarmNothing()
{
    const std::vector<protocol::Event> odd{
        said(1, "state", {{"state", "dancing"}}),
        said(2, "metric", {{"points", "none"}}),
        said(3, "metric", {{"points", {{"x", 1}, {"x", "1", 2}, {1, 2, 3}, {"train.loss", 1, "cold"}, nullptr}}}),
        said(4, "stage", {{"stage", 7}, {"progress", "half"}}),
        said(5, "artifact", {{"role", "model"}, {"name", nullptr}, {"path", 3}}),
        said(6, "telemetry", {{"devices", 1}, {"cpu_percent", "much"}}),
        said(7, "of a newer runner", {{"anything", {1, 2, 3}}}),
        said(8, "log", {{"text", std::string("\xFF\x00'; DROP TABLE runs; --", 24)}}),
        loss(9, 1, 1)};
    VERIFY_OK(m_database->ingest("a", odd));
    QCOMPARE(m_database->run("a")->lastSeq, std::int64_t(9));
    QCOMPARE(m_database->run("a")->state, protocol::RunState::Queued);
    QCOMPARE(points("a"), std::size_t(1));
    QCOMPARE(m_database->logs("a")->size(), std::size_t(1));
    VERIFY_OK(m_database->telemetry("a"));
    VERIFY_OK(m_database->stages("a"));
    VERIFY_OK(m_database->verify());
}

void StorageDatabaseTest::twoStagesWithTheSameMetricKeepTheirOwnSeries()
{
    protocol::Event second = loss(2, 1, 2);
    second.fields["stage"] = "fit2";
    VERIFY_OK(m_database->ingest("a", std::vector{loss(1, 1, 1), second}));
    QCOMPARE(m_database->series("a", "train.loss")->front().value, 1.0);
    QCOMPARE(m_database->series("a", "fit2/train.loss")->front().value, 2.0);
}

void StorageDatabaseTest::bucketsKeepTheExtremes_data()
{
    QTest::addColumn<int>("spikeAt");
    for (const int spike : {1, 2, 777, 5000, 9999, 10'000}) QTest::addRow("a spike at step %d", spike) << spike;
}

void StorageDatabaseTest::bucketsKeepTheExtremes()
{
    QFETCH(int, spikeAt);
    std::vector<protocol::Event> events;
    for (std::int64_t step = 1; step <= 10'000; ++step) {
        const double value = step == spikeAt ? 100 : step == spikeAt + 1 ? -100 : std::sin(static_cast<double>(step));
        events.push_back(loss(step, step, value));
    }
    VERIFY_OK(m_database->ingest("a", events));
    constexpr std::size_t kBuckets = 50;
    const auto all = m_database->series("a", "train.loss"), few = m_database->series("a", "train.loss", kBuckets);
    QCOMPARE(all->size(), std::size_t(10'000));
    QVERIFY2(few->size() <= 2 * kBuckets + 2, str(few->size(), " points").c_str());
    QCOMPARE(few->front().step, std::int64_t(1));
    QCOMPARE(few->back().step, std::int64_t(10'000));
    const auto lower = [](const Point& a, const Point& b) { return a.value < b.value; };
    QCOMPARE(std::max_element(few->begin(), few->end(), lower)->value, 100.0);
    if (spikeAt < 10'000) QCOMPARE(std::min_element(few->begin(), few->end(), lower)->value, -100.0);
    for (std::size_t i = 1; i < few->size(); ++i) QVERIFY((*few)[i - 1].step < (*few)[i].step);
    for (const Point& point : *few) QVERIFY(std::find(all->begin(), all->end(), point) != all->end());
}

void StorageDatabaseTest::runsAreFoundByIdNameAndBeginning()
{
    for (const char* id : {"20251121-aa", "20251121-ab", "20251122-ac"}) VERIFY_OK(m_database->createRun(newRun(id)));
    QCOMPARE(m_database->run("20251122")->id, std::string("20251122-ac"));
    QCOMPARE(m_database->run("name-20251121-aa")->id, std::string("20251121-aa"));
    const auto several = m_database->run("20251121");
    QVERIFY(!several);
    QCOMPARE(several.error().code, Code::InvalidArgument);
    QVERIFY(several.error().message.find("20251121-ab") != std::string::npos);
    const auto none = m_database->run("name-20251121-ax");
    QVERIFY(!none);
    QCOMPARE(none.error().code, Code::NotFound);
    QVERIFY(none.error().advice.find("name-20251121-aa") != std::string::npos);
    QVERIFY(!m_database->run(""));
    QVERIFY(!m_database->run("%"));

    RunQuery query;
    query.text = "20251121";
    query.descending = false;
    const auto found = m_database->runs(query);
    QCOMPARE(found->size(), std::size_t(2));
    QCOMPARE(found->front().id, std::string("20251121-aa"));
    query.text = "1_2"; // no wildcard
    QVERIFY(m_database->runs(query)->empty());
}

void StorageDatabaseTest::namesThatAreTakenAreNumbered()
{
    NewRun second = newRun("b");
    second.name = "name-a";
    VERIFY_OK(m_database->createRun(second));
    QCOMPARE(m_database->run("b")->name, std::string("name-a-2"));
    VERIFY_OK(m_database->createRun(second)); // known: stays as it is
    QCOMPARE(m_database->runs()->size(), std::size_t(2));
}

void StorageDatabaseTest::deletingARunRemovesItsRowsAlone()
{
    VERIFY_OK(m_database->createRun(newRun("b")));
    VERIFY_OK(m_database->ingest("a", std::vector{loss(1, 1, 1)}));
    VERIFY_OK(m_database->ingest("b", std::vector{loss(1, 1, 2)}));
    VERIFY_OK(m_database->deleteRun("a"));
    QVERIFY(!m_database->run("a"));
    QCOMPARE(points("b"), std::size_t(1));
    const auto again = m_database->deleteRun("a");
    QVERIFY(!again);
    QCOMPARE(again.error().code, Code::NotFound);
    // a run that gets the row's number inherits nothing
    VERIFY_OK(m_database->createRun(newRun("c")));
    QCOMPARE(points("c"), std::size_t(0));
}

void StorageDatabaseTest::aForgottenRunReadsAgain()
{
    const std::vector<protocol::Event> events{state(1, "running"), loss(2, 1, 1), state(3, "failed")};
    VERIFY_OK(m_database->ingest("a", events, 300));
    VERIFY_OK(m_database->forgetEvents("a"));
    QCOMPARE(m_database->run("a")->lastSeq, std::int64_t(0));
    QCOMPARE(m_database->run("a")->state, protocol::RunState::Queued);
    QCOMPARE(points("a"), std::size_t(0));
    VERIFY_OK(m_database->ingest("a", events, 300));
    QCOMPARE(points("a"), std::size_t(1));
}

void StorageDatabaseTest::aPointTakesFewBytes()
{
    VERIFY_OK(m_database->checkpoint());
    const qint64 before = QFileInfo(QString::fromStdString(path())).size();
    constexpr std::int64_t kSteps = 25'000;
    const std::array<const char*, 4> names{"train.loss", "train.accuracy", "validation.loss", "validation.accuracy"};
    Random random(1, 0);
    std::vector<protocol::Event> events;
    for (std::int64_t step = 1; step <= kSteps; ++step) {
        nlohmann::json points = nlohmann::json::array();
        for (const char* name : names) points.push_back({name, step, random.uniformDouble()});
        events.push_back(said(step, "metric", {{"stage", "fit"}, {"points", std::move(points)}}));
        events.back().timeMs = kCreatedMs + step * 50; // twenty steps a second
    }
    VERIFY_OK(m_database->ingest("a", events));
    QCOMPARE(points("a"), static_cast<std::size_t>(kSteps));
    m_database.reset(); // closing moves the WAL into the file
    const qint64 bytes = QFileInfo(QString::fromStdString(path())).size() - before;
    const double each = static_cast<double>(bytes) / (kSteps * 4.0);
    qInfo("%.1f bytes a point (%lld points)", each, static_cast<long long>(kSteps * 4));
    QVERIFY2(each < 40, str(each, " bytes").c_str());
}

QTEST_GUILESS_MAIN(StorageDatabaseTest)
#include "database_test.moc"
