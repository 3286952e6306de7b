// The parts of the pages of runs that need no database: filter, table model, differences, groups of charts, curves,
// confusion matrix.
#include "ui/charts/confusion_view.h"
#include "ui/charts/line_chart.h"
#include "ui/runs/compare_panel.h"
#include "ui/runs/differences.h"
#include "ui/runs/run_charts.h"
#include "ui/runs/run_words.h"
#include "ui/runs/runs_model.h"

#include <QAbstractItemModelTester>
#include <QDateTime>
#include <QElapsedTimer>
#include <QTest>
#include <algorithm>
#include <cmath>

using namespace millrace;
using namespace millrace::ui;
using namespace Qt::StringLiterals;

namespace {

RunSummary makeRun(int number, double accuracy, protocol::RunState state = protocol::RunState::Finished)
{
    static const QString optimizers[] = {u"adamw"_s, u"sgd"_s, u"adam"_s};
    RunSummary run;
    run.id = u"run%1"_s.arg(number, 6, 10, QChar(u'0'));
    run.name = u"brisk-heron-%1"_s.arg(number);
    run.pipeline = u"Digits quick start"_s;
    run.target = u"local"_s;
    run.experiment = u"lab 3"_s;
    run.state = state;
    run.createdMs = 1'760'000'000'000 + number * 1000;
    run.startedMs = run.createdMs;
    run.workedSeconds = number % 97;
    run.metrics = {{u"test.accuracy"_s, accuracy}, {u"validation.loss"_s, 1 - accuracy}};
    run.parameters = {{u"fit.epochs"_s, QString::number(number % 20), static_cast<double>(number % 20)},
                      {u"fit.optimizer"_s, optimizers[number % 3], kNoNumber}};
    return run;
}

RunList listOf(std::vector<RunSummary> runs)
{
    return std::make_shared<const std::vector<RunSummary>>(std::move(runs));
}

RunFilter filterOf(const QString& text)
{
    auto parsed = RunFilter::parse(text);
    if (!parsed) qFatal("%s", parsed.error().message.c_str());
    return std::move(*parsed);
}

} // namespace

class RunsTest : public QObject
{
    Q_OBJECT
private slots:
    void filterSays_data();
    void filterSays();
    void filterExplainsMistakes_data();
    void filterExplainsMistakes();
    void modelSortsAndFilters();
    void modelChangesRowByRow();
    void modelHoldsThirtyThousandRuns();
    void findsDifferences();
    void choosesWhatToChart();
    void smoothsAsTensorBoard();
    void reducesWithoutLosingExtremes();
    void chartReadsEveryCurve();
    void chartDrawsAHundredThousandPoints();
    void confusionInWords();
    void saysTimesAndNumbers();
};

void RunsTest::filterSays_data()
{
    QTest::addColumn<bool>("expected");
    const auto row = [](const char* filter, bool expected) { QTest::newRow(filter) << expected; };
    row("", true);
    row("heron", true);
    row("HERON digits", true);
    row("otter", false);
    row("\"quick start\"", true);
    row("finished", true);
    row("metrics.test.accuracy > 0.95", true);
    row("metrics.test.accuracy>0.97", false);
    row("metrics.test.accuracy >= 0.97", true);
    row("metrics.test.accuracy != 0.97", false);
    row("metrics.none < 1", false);
    row("not metrics.none < 1", true);
    row("params.fit.optimizer = sgd", true);
    row("params.optimizer = SGD", true);
    row("params.optimizer ~ gd", true);
    row("params.epochs = 4", true);
    row("params.epochs < 4", false);
    row("params.timizer = sgd", false);
    row("state = finished and metrics.test.accuracy < 0.9", false);
    row("state = failed or metrics.test.accuracy > 0.9", true);
    row("state = failed or state = finished and name ~ nothing", false);
    row("(state = failed or state = finished) and name ~ heron", true);
    row("experiment = \"lab 3\"", true);
    row("experiment = \"lab\"", false);
    row("seconds > 3", true);
    row("id = run000004", true);
}

void RunsTest::filterSays()
{
    QFETCH(bool, expected);
    QCOMPARE(filterOf(QString::fromUtf8(QTest::currentDataTag())).matches(makeRun(4, 0.97)), expected);
}

void RunsTest::filterExplainsMistakes_data()
{
    QTest::addColumn<QString>("part");
    const auto row = [](const char* filter, const QString& part) { QTest::newRow(filter) << part; };
    row("metrics.test.accuracy >", u"A value is expected after “metrics.test.accuracy >”"_s);
    row("metrics.test.accuracy > high", u"“high” is none"_s);
    row("stat = finished", u"Did you mean state"_s);
    row("name > 3", u"is text"_s);
    row("\"open", u"no closing quotation mark"_s);
    row("(name = a", u"A ) is missing"_s);
    row("name = a)", u"without its ("_s);
    row("name = a and", u"expected after “and”"_s);
    row("> 3", u"not expected here"_s);
    row("name ! a", u"is not a comparison"_s);
}

void RunsTest::filterExplainsMistakes()
{
    QFETCH(QString, part);
    const auto parsed = RunFilter::parse(QString::fromUtf8(QTest::currentDataTag()));
    QVERIFY(!parsed);
    QVERIFY2(QString::fromStdString(parsed.error().message).contains(part), parsed.error().message.c_str());
}

void RunsTest::modelSortsAndFilters()
{
    RunsModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    RunSummary without = makeRun(4, 0);
    without.metrics.clear();
    model.setRuns(listOf({makeRun(1, 0.5), makeRun(2, 0.9), makeRun(3, 0.7), without}));
    QCOMPARE(model.rowCount(), 4);
    QCOMPARE(model.runAt(0)->id, u"run000004"_s); // newest first
    model.setColumns(
        {{RunColumn::Kind::Name, {}}, {RunColumn::Kind::Metric, u"test.accuracy"_s}, {RunColumn::Kind::When, {}}});
    model.sort(1, Qt::DescendingOrder);
    QCOMPARE(model.index(0, 1).data().toString(), u"0.900"_s);
    QCOMPARE(model.index(3, 1).data().toString(), u"—"_s); // what is missing stands last
    model.sort(1, Qt::AscendingOrder);
    QCOMPARE(model.index(0, 1).data().toString(), u"0.500"_s);
    QCOMPARE(model.index(3, 1).data().toString(), u"—"_s);
    model.setFilter(filterOf(u"metrics.test.accuracy > 0.6"_s));
    QCOMPARE(model.rowCount(), 2);
    QCOMPARE(model.total(), std::size_t(4));
    QCOMPARE(model.runAt(0)->id, u"run000003"_s);
}

void RunsTest::modelChangesRowByRow()
{
    RunsModel model;
    QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    model.setColumns(
        {{RunColumn::Kind::Name, {}}, {RunColumn::Kind::Metric, u"test.accuracy"_s}, {RunColumn::Kind::When, {}}});
    model.setRuns(listOf({makeRun(1, 0.5), makeRun(2, 0.9), makeRun(3, 0.7)}));
    model.sort(1, Qt::DescendingOrder);
    model.setFilter(filterOf(u"metrics.test.accuracy > 0.6"_s));
    const QPersistentModelIndex second = model.index(0, 0);
    QCOMPARE(second.data(RunsModel::RunRole).toString(), u"run000002"_s);
    model.applyChanges(listOf({makeRun(1, 0.95)})); // passes the filter now, and is the best
    QCOMPARE(model.rowCount(), 3);
    QCOMPARE(model.runAt(0)->id, u"run000001"_s);
    QCOMPARE(second.row(), 1);
    model.applyChanges(listOf({makeRun(2, 0.65)})); // falls behind 3
    QCOMPARE(second.row(), 2);
    model.applyChanges(listOf({makeRun(2, 0.99), makeRun(4, 0.8)}));
    QCOMPARE(second.row(), 0);
    QCOMPARE(model.rowCount(), 4);
    model.applyChanges(listOf({makeRun(2, 0.1)})); // no longer passes
    QVERIFY(!second.isValid());
    model.removeRuns({u"run000001"_s, u"run000002"_s, u"nobody"_s});
    QCOMPARE(model.rowCount(), 2);
    QCOMPARE(model.total(), std::size_t(2));
    QVERIFY(!model.find(u"run000001"_s));
    model.applyChanges(listOf({makeRun(4, 0.71)}));
    QCOMPARE(model.runAt(0)->id, u"run000004"_s);
    // more than are moved one by one
    std::vector<RunSummary> many;
    for (int i = 0; i < 500; ++i) many.push_back(makeRun(i, 0.61 + i * 0.0001));
    model.applyChanges(listOf(std::move(many)));
    QCOMPARE(model.rowCount(), 500);
}

void RunsTest::modelHoldsThirtyThousandRuns()
{
    std::vector<RunSummary> runs;
    for (int i = 0; i < 30'000; ++i) runs.push_back(makeRun(i, static_cast<double>(i * 7919 % 30'000) / 30'000));
    const RunList list = listOf(std::move(runs));
    RunsModel model;
    model.setColumns({{RunColumn::Kind::Chip, {}},
                      {RunColumn::Kind::Name, {}},
                      {RunColumn::Kind::State, {}},
                      {RunColumn::Kind::Metric, u"test.accuracy"_s},
                      {RunColumn::Kind::Parameter, u"fit.optimizer"_s},
                      {RunColumn::Kind::When, {}}});
    QElapsedTimer timer;
    const auto measure = [&](const char* what, const auto& work) {
        timer.start();
        work();
        const double ms = static_cast<double>(timer.nsecsElapsed()) / 1e6;
        qInfo("30,000 runs: %s %.1f ms", what, ms);
        QVERIFY2(ms < 400, what); // far above what it takes: a slow machine must not fail
    };
    measure("set", [&] { model.setRuns(list); });
    measure("sort by a number", [&] { model.sort(3, Qt::DescendingOrder); });
    measure("sort by name", [&] { model.sort(1, Qt::AscendingOrder); });
    measure("filter by words", [&] { model.setFilter(filterOf(u"heron-29"_s)); });
    measure("filter by comparison",
            [&] { model.setFilter(filterOf(u"metrics.test.accuracy > 0.5 and params.optimizer = sgd"_s)); });
    QVERIFY(model.rowCount() > 4900 && model.rowCount() < 5100);
    measure("no filter", [&] { model.setFilter({}); });
    measure("ten changes", [&] {
        std::vector<RunSummary> changed;
        for (int i = 0; i < 10; ++i) changed.push_back(makeRun(i * 100, 0.999, protocol::RunState::Running));
        model.applyChanges(listOf(std::move(changed)));
    });
    measure("a screen of cells", [&] {
        for (int row = 15'000; row < 15'030; ++row) {
            for (int column = 0; column < model.columnCount(); ++column) model.index(row, column).data();
        }
    });
}

void RunsTest::findsDifferences()
{
    auto first = std::make_shared<RunSummary>(makeRun(3, 0.9)), second = std::make_shared<RunSummary>(makeRun(4, 0.9));
    second->parameters.push_back({u"net.seed"_s, u"7"_s, 7});
    first->parameters.push_back({u"split.seed"_s, u"1"_s, 1});
    const auto rows = differencesOf({first, second});
    QStringList titles;
    for (const Difference& row : rows) titles << row.title;
    QCOMPARE(titles, (QStringList{u"epochs"_s, u"optimizer"_s, u"net seed"_s, u"split seed"_s}));
    QCOMPARE(rows[0].values, (QStringList{u"3"_s, u"4"_s}));
    QCOMPARE(rows[2].values, (QStringList{u"—"_s, u"7"_s}));
    QVERIFY(differencesOf({first, first}).empty());
}

void RunsTest::choosesWhatToChart()
{
    auto run = std::make_shared<RunSummary>(makeRun(1, 0.9));
    QCOMPARE(metricsToCompare({run}), QStringList{u"validation.loss"_s});
    run->metrics = {{u"train.loss"_s, 1}, {u"validation.accuracy"_s, 1}, {u"test.accuracy"_s, 1}};
    QCOMPARE(metricsToCompare({run}), (QStringList{u"train.loss"_s, u"validation.accuracy"_s}));
    const auto groups = chartGroups(
        {u"train.accuracy"_s, u"train.batch_loss"_s, u"train.loss"_s, u"validation.loss"_s, u"test.loss"_s});
    QCOMPARE(groups.size(), std::size_t(3));
    QVERIFY((groups[0] == ChartGroup{u"loss"_s, {u"train.loss"_s, u"validation.loss"_s}}));
    QCOMPARE(groups[1].title, u"accuracy"_s);
    QCOMPARE(groups[2].title, u"batch loss"_s);
}

void RunsTest::smoothsAsTensorBoard()
{
    // by hand: with w = 0.5 the sums are 0.5, 1.25, 2.125, divided by 0.5, 0.75, 0.875
    const std::vector<double> values = {1, 2, 3};
    const auto result = smoothed(values, 0.5);
    QCOMPARE(result[0], 1.0);
    QCOMPARE(result[1], 1.25 / 0.75);
    QCOMPARE(result[2], 2.125 / 0.875);
    QVERIFY((smoothed(std::vector<double>{4, 4, 4}, 0.9) == std::vector<double>{4, 4, 4}));
    const auto holed = smoothed(std::vector<double>{1, std::nan(""), 2, 3}, 0.5);
    QVERIFY(std::isnan(holed[1]));
    QCOMPARE(holed[3], result[2]);
    QVERIFY(smoothed(values, 0) == values);
}

void RunsTest::reducesWithoutLosingExtremes()
{
    Points points;
    for (int i = 0; i < 100'000; ++i) {
        points.x.push_back(i);
        points.y.push_back(std::sin(i * 0.001));
    }
    points.y[54'321] = 50;
    points.y[77'777] = -50;
    const Points reduced = reduceToPixels(points, 0, 99'999, 500);
    QVERIFY(reduced.size() <= 4 * 502);
    QCOMPARE(*std::max_element(reduced.y.begin(), reduced.y.end()), 50.0);
    QCOMPARE(*std::min_element(reduced.y.begin(), reduced.y.end()), -50.0);
    QVERIFY(std::is_sorted(reduced.x.begin(), reduced.x.end()));
    QCOMPARE(reduced.x.front(), 0.0);
    QCOMPARE(reduced.x.back(), 99'999.0);
    // a part of it keeps one neighbour beyond either end, so that the line leaves the picture
    const Points part = reduceToPixels(points, 1000, 2000, 5000);
    QCOMPARE(part.x.front(), 999.0);
    QCOMPARE(part.x.back(), 2001.0);
    points.y[10] = std::nan("");
    const Points broken = reduceToPixels(points, 0, 99'999, 500);
    QVERIFY(std::any_of(broken.y.begin(), broken.y.end(), [](double y) { return std::isnan(y); }));
    QVERIFY(reduceToPixels({}, 0, 1, 100).empty());
}

void RunsTest::chartReadsEveryCurve()
{
    LineChart chart;
    chart.resize(500, 260);
    chart.setWholeX(true);
    chart.setCurves({{u"train"_s, 0, {{1, 2, 3, 4}, {4, 3, 2, 1}}}, {u"validation"_s, 1, {{1, 2}, {5, 4}}}});
    chart.show();
    QVERIFY(QTest::qWaitForWindowExposed(&chart));
    QCOMPARE(chart.readings().size(), std::size_t(2));
    QCOMPARE(chart.readings()[0].y, 1.0); // without a crosshair the last ones
    chart.setCrosshair(2.02);
    QCOMPARE(chart.readings()[0].y, 3.0);
    QCOMPARE(chart.readings()[1].y, 4.0);
    chart.setCrosshair(3.9);
    QCOMPARE(chart.readings().size(), std::size_t(1)); // the second one has ended there
    // by the arrow keys, too
    auto* overlay = chart.childAt(250, 100);
    std::optional<double> moved;
    connect(&chart, &LineChart::crosshairMoved, this, [&](std::optional<double> x) { moved = x; });
    chart.setCrosshair(std::nullopt);
    QTest::keyClick(overlay, Qt::Key_Right);
    QVERIFY(moved == 1.0);
    QTest::keyClick(overlay, Qt::Key_Right);
    QVERIFY(moved == 2.0);
    QVERIFY(overlay->accessibleDescription().contains(u"validation 4"_s));
    QTest::mouseMove(overlay, QPoint(250, 100));
    QTRY_VERIFY(moved && *moved > 1.5 && *moved < 3.5);
}

void RunsTest::chartDrawsAHundredThousandPoints()
{
    LineChart chart;
    chart.resize(600, 260);
    chart.show();
    QVERIFY(QTest::qWaitForWindowExposed(&chart));
    std::vector<Curve> curves;
    for (int c = 0; c < 4; ++c) {
        Curve curve{QString::number(c), c, {}};
        for (int i = 0; i < 25'000; ++i) {
            curve.points.x.push_back(i);
            curve.points.y.push_back(std::exp(-i / 5000.0) + 0.1 * std::sin(i * 0.37 + c));
        }
        curves.push_back(std::move(curve));
    }
    QElapsedTimer timer;
    timer.start();
    chart.setCurves(curves);
    const double set = static_cast<double>(timer.nsecsElapsed()) / 1e6;
    timer.start();
    QCoreApplication::processEvents(); // it is drawn when the event loop comes to it
    const double drawn = static_cast<double>(timer.nsecsElapsed()) / 1e6;
    qInfo("4 curves of 25,000 points: set %.1f ms, drawn %.1f ms", set, drawn);
    QVERIFY(set + drawn < 400); // far above what it takes
    const QImage image = chart.grab().toImage();
    QVERIFY(!image.isNull());
    chart.setSmoothing(0.9);
    QCOMPARE(chart.readings().size(), std::size_t(4));
}

void RunsTest::confusionInWords()
{
    ConfusionView view;
    view.resize(360, 360);
    const ConfusionCounts counts = {{8, 2, 0}, {1, 9, 0}, {0, 0, 0}};
    view.setMatrix({u"cat"_s, u"dog"_s, u"owl"_s}, counts);
    QCOMPARE(recallOf(counts, 0), 0.8);
    QCOMPARE(precisionOf(counts, 1), 9.0 / 11);
    QVERIFY(std::isnan(recallOf(counts, 2)));
    QVERIFY(std::isnan(precisionOf(counts, 2)));
    QCOMPARE(view.cellWords(0, 1), u"Of 10 rows that are “cat”, 2 (20 %) were taken for “dog”."_s);
    QCOMPARE(view.cellWords(1, 1), u"Of 10 rows that are “dog”, 9 (90 %) were recognised."_s);
    QCOMPARE(view.words(), u"17 of 20 rows were recognised, 3 were not."_s);
    view.show();
    QVERIFY(QTest::qWaitForWindowExposed(&view));
    QTest::keyClick(&view, Qt::Key_Right); // selects the first cell
    QTest::keyClick(&view, Qt::Key_Right);
    QCOMPARE(view.words(), view.cellWords(0, 1));
    QCOMPARE(view.accessibleDescription(), view.words());
}

void RunsTest::saysTimesAndNumbers()
{
    const QDateTime noon(QDate(2026, 3, 14), QTime(12, 0));
    const qint64 now = noon.toMSecsSinceEpoch();
    QCOMPARE(whenWords(now - 20'000, now), u"now"_s);
    QCOMPARE(whenWords(now - 9 * 60'000, now), u"9 min"_s);
    QCOMPARE(whenWords(now - 3 * 3'600'000, now), u"3 h"_s);
    QCOMPARE(whenWords(noon.addDays(-1).toMSecsSinceEpoch(), now), u"yesterday"_s);
    QCOMPARE(whenWords(noon.addDays(-3).toMSecsSinceEpoch(), now), u"3 days"_s);
    QCOMPARE(metricText(0.98765), u"0.988"_s);
    QCOMPARE(metricText(15), u"15"_s);
    QCOMPARE(metricText(0.0413), u"0.0413"_s);
    QCOMPARE(metricText(std::nan("")), u"NaN"_s);
    QCOMPARE(metricTitle(u"validation.loss"_s), u"validation loss"_s);
    QCOMPARE(parameterTitle(u"fit.learning_rate"_s), u"learning rate"_s);
}

QTEST_MAIN(RunsTest)
#include "runs_test.moc"
