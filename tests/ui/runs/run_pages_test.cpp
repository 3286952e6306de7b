// The pages of runs driven by real events, on a real database. With MILLRACE_PICTURES=folder it leaves pictures there.
#include "tests/ui/bridge/run_maker.h"
#include "ui/charts/chart_card.h"
#include "ui/charts/confusion_view.h"
#include "ui/runs/filter_field.h"
#include "ui/runs/log_view.h"
#include "ui/runs/run_charts.h"
#include "ui/runs/run_page.h"
#include "ui/runs/runs_overview.h"
#include "ui/runs/runs_page.h"
#include "ui/runs/runs_table.h"
#include "ui/theme/theme.h"
#include "ui/widgets/empty_state.h"
#include "ui/widgets/notice_bar.h"

#include <QAction>
#include <QApplication>
#include <QDir>
#include <QLineEdit>
#include <QMessageBox>
#include <QPushButton>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>
#include <QTimer>

using namespace millrace;
using namespace millrace::ui;
using namespace Qt::StringLiterals;

namespace {

constexpr int kPatienceMs = 10'000;

/// Six runs as they might stand in a course, newest first: finished, failed, stopped.
void writeSixRuns(const protocol::Home& home)
{
    using protocol::RunState;
    const auto make = [&](const char* id, const char* name, RunState state, const char* optimizer, double rate,
                          double decay, double speed, double accuracy, double seconds, int epochs = 15) {
        test::MadeRun run;
        run.id = id;
        run.name = name;
        run.state = state;
        run.optimizer = optimizer;
        run.learningRate = rate;
        run.weightDecay = decay;
        run.speed = speed;
        run.accuracy = accuracy;
        run.seconds = seconds;
        run.epochs = epochs;
        if (state == RunState::Failed) run.failure = "The loss became NaN in layer conv1 at step 12.";
        test::writeRun(home, run);
    };
    make("20260301-101500-000-aaaaaa", "brisk-heron", RunState::Finished, "adamw", 0.002, 0.01, 0.42, 0.986, 9.4);
    make("20260301-101300-000-aaaaab", "calm-otter", RunState::Finished, "adamw", 0.001, 0.01, 0.34, 0.983, 15.2);
    make("20260301-100600-000-aaaaac", "plain-wren", RunState::Finished, "sgd", 0.05, 0, 0.27, 0.978, 13.1);
    make("20260301-100400-000-aaaaad", "early-lark", RunState::Failed, "adamw", 0.5, 0.01, 0.01, 0.2, 1.2, 1);
    make("20260301-091500-000-aaaaae", "quiet-finch", RunState::Finished, "adam", 0.0005, 0.1, 0.22, 0.981, 14.4);
    make("20260228-101500-000-aaaaaf", "warm-stoat", RunState::Stopped, "adamw", 0.002, 0.01, 0.4, 0.964, 6.1, 9);
}

struct Window
{
    QTemporaryDir folder;
    protocol::Home home{folder.path().toStdString()};
    std::unique_ptr<Tracking> tracking;
    std::unique_ptr<RunsPage> page;

    void open()
    {
        TrackingOptions options;
        options.home = home;
        options.pollMs = 20;
        tracking = std::make_unique<Tracking>(options);
        page = std::make_unique<RunsPage>(*tracking);
        page->resize(1216, 772);
        page->show();
        QVERIFY(QTest::qWaitForWindowExposed(page.get()));
    }
    void openWithSixRuns()
    {
        writeSixRuns(home);
        open();
        QVERIFY(waitForRows(6));
        QVERIFY(QTest::qWaitFor(
            [&] {
                for (int row = 0; row < model().rowCount(); ++row) {
                    if (model().runAt(row)->isActive()) return false;
                }
                return true;
            },
            kPatienceMs));
    }
    RunsModel& model() { return page->overview().model(); }
    RunsTable& table() { return page->overview().table(); }
    bool waitForRows(int rows)
    {
        return QTest::qWaitFor([&] { return model().rowCount() == rows; }, kPatienceMs);
    }
    void clickChip(int row)
    {
        const QRect chip = table().visualRect(model().index(row, 0));
        QTest::mouseClick(table().viewport(), Qt::LeftButton, {}, chip.center());
    }
    QAction* action(const QString& text)
    {
        for (QAction* candidate : page->runPage().actions()) {
            if (candidate->text() == text) return candidate;
        }
        return nullptr;
    }
};

void picture(QWidget& widget, const QString& name)
{
    const QString folder = qEnvironmentVariable("MILLRACE_PICTURES");
    if (folder.isEmpty()) return;
    QTest::qWait(150); // curves on their way
    for (const auto mode : {Theme::Mode::Light, Theme::Mode::Dark}) {
        theme().setMode(mode);
        QTest::qWait(100);
        const QString suffix = mode == Theme::Mode::Dark ? u"dark"_s : u"light"_s;
        widget.grab().save(QDir(folder).filePath(u"%1-%2.png"_s.arg(name, suffix)));
    }
    theme().setMode(Theme::Mode::Light);
}

} // namespace

class RunPagesTest : public QObject
{
    Q_OBJECT
private slots:
    void initTestCase();
    void showsAnEmptyPage();
    void listsRunsAndComparesThem();
    void filters();
    void opensARun();
    void followsARunLive();
    void showsWhyARunFailed();
    void asksBeforeDeleting();
};

void RunPagesTest::initTestCase()
{
    theme().setMode(Theme::Mode::Light);
    theme().apply();
}

void RunPagesTest::showsAnEmptyPage()
{
    Window w;
    w.open();
    const auto visible = [&] {
        for (EmptyState* state : w.page->findChildren<EmptyState*>()) {
            if (state->isVisible()) return state;
        }
        return static_cast<EmptyState*>(nullptr);
    };
    QTRY_VERIFY(visible());
    QSignalSpy asked(w.page.get(), &RunsPage::quickStartRequested);
    QTest::mouseClick(visible()->button(), Qt::LeftButton);
    QCOMPARE(asked.size(), 1);
    picture(*w.page, u"runs-empty"_s);
}

void RunPagesTest::listsRunsAndComparesThem()
{
    Window w;
    w.openWithSixRuns();
    QCOMPARE(w.model().runAt(0)->name, u"brisk-heron"_s);
    QCOMPARE(w.model().runAt(3)->state, protocol::RunState::Failed);
    // the first row is chosen by itself; clicks on chips take others in
    w.table().setFocus();
    QTRY_COMPARE(w.page->overview().selectedRuns().size(), std::size_t(1));
    for (const int row : {1, 2, 4}) w.clickChip(row);
    QTRY_COMPARE(w.page->overview().selectedRuns().size(), std::size_t(4));
    const auto charts = w.page->overview().findChildren<ChartCard*>();
    QTRY_COMPARE(charts[0]->chart().curves().size(), std::size_t(4));
    QTRY_COMPARE(charts[0]->chart().curves().back().points.size(), std::size_t(15));
    charts[0]->chart().setCrosshair(7);
    QCOMPARE(charts[0]->chart().readings().size(), std::size_t(4));
    QCOMPARE(charts[0]->chart().readings().front().x, 7.0);
    // colours stay with the runs that stay
    const int wren = w.model().index(2, 0).data(RunsModel::ChipRole).toInt();
    w.clickChip(1);
    QTRY_COMPARE(w.model().index(1, 0).data(RunsModel::ChipRole).toInt(), RunsModel::kNoChip);
    QCOMPARE(w.model().index(2, 0).data(RunsModel::ChipRole).toInt(), wren);
    w.clickChip(1);
    QTRY_COMPARE(charts[0]->chart().curves().size(), std::size_t(4));
    for (ChartCard* card : charts) card->chart().setCrosshair(7);
    picture(*w.page, u"runs"_s);
}

void RunPagesTest::filters()
{
    Window w;
    w.openWithSixRuns();
    auto* field = w.page->findChild<FilterField*>();
    QTest::keyClicks(&field->edit(), u"metrics.test.accuracy > 0.98"_s);
    QVERIFY(w.waitForRows(3));
    QTest::keyClicks(&field->edit(), u" and params.optimizer = adamw"_s);
    QVERIFY(w.waitForRows(2));
    QTest::keyClicks(&field->edit(), u" and"_s);
    QTest::qWait(200);
    QCOMPARE(w.model().rowCount(), 2); // half a filter changes nothing
    QVERIFY(field->edit().property("problem").toBool());
    picture(*w.page, u"runs-filter"_s);
    field->setText(u"metrics.test.acuracy > 0.5"_s);
    QVERIFY(w.waitForRows(0));
    picture(*w.page, u"runs-no-match"_s);
    field->setText({});
    QVERIFY(w.waitForRows(6));
}

void RunPagesTest::opensARun()
{
    Window w;
    w.openWithSixRuns();
    w.table().setFocus();
    QTest::keyClick(&w.table(), Qt::Key_Return);
    RunPage& page = w.page->runPage();
    QTRY_VERIFY(page.isVisible());
    auto* confusion = page.findChild<ConfusionView*>();
    QTRY_VERIFY(confusion->isVisible());
    QCOMPARE(confusion->cellWords(8, 1), u"Of 39 rows that are “8”, 2 (5.1 %) were taken for “1”."_s);
    QTRY_VERIFY(page.findChild<LogView*>()->toPlainText().contains(u"epoch 15 of 15"_s));
    const auto cards = page.findChild<RunCharts*>()->cards();
    QTRY_COMPARE(cards[0]->chart().curves().size(), std::size_t(2));
    QTRY_COMPARE(cards[0]->chart().curves()[0].points.size(), std::size_t(15));
    QVERIFY(!w.action(u"Stop"_s)->isEnabled());
    QVERIFY(!w.action(u"Resume"_s)->isEnabled());
    QSignalSpy design(w.page.get(), &RunsPage::openInDesign);
    w.action(u"Open in Design"_s)->trigger();
    QCOMPARE(design.size(), 1);
    QVERIFY(design[0][0].toString().contains(u"Digits quick start"_s));
    const QString file = w.folder.filePath(u"out.csv"_s);
    page.exportTo(file);
    QTRY_VERIFY(QFile::exists(file));
    page.findChild<NoticeBar*>()->hide();
    picture(page, u"run"_s);
    cards[0]->chart().setSmoothing(0.6);
    cards[0]->chart().setLogarithmic(true);
    picture(page, u"run-smooth"_s);
    QTest::keyClick(&page, Qt::Key_Escape);
    QTRY_VERIFY(w.page->overview().isVisible());
}

void RunPagesTest::followsARunLive()
{
    Window w;
    w.open();
    QSignalSpy launched(w.tracking.get(), &Tracking::launched);
    w.tracking->launch(u"{\"format\": \"millrace/1\", \"name\": \"Live\", \"nodes\": [], \"links\": []}"_s, u"/tmp"_s,
                       u"endless"_s);
    QVERIFY(launched.wait(kPatienceMs));
    QVERIFY(w.waitForRows(1));
    w.page->showRun(launched[0][1].toString());
    const auto cards = w.page->runPage().findChild<RunCharts*>()->cards();
    QTRY_VERIFY(!cards[0]->chart().curves().empty() && cards[0]->chart().curves()[0].points.size() == 4);
    QTRY_VERIFY(w.action(u"Stop"_s)->isEnabled());
    QVERIFY(!w.action(u"Delete"_s)->isEnabled());
    picture(w.page->runPage(), u"run-live"_s);
    w.action(u"Stop"_s)->trigger();
    QTRY_VERIFY_WITH_TIMEOUT(w.action(u"Resume"_s)->isEnabled(), kPatienceMs);
    QCOMPARE(w.model().runAt(0)->state, protocol::RunState::Stopped);
}

void RunPagesTest::showsWhyARunFailed()
{
    Window w;
    w.openWithSixRuns();
    w.page->showRun(u"20260301-100400-000-aaaaad"_s);
    auto* notice = w.page->runPage().findChild<NoticeBar*>();
    QTRY_VERIFY(notice->isVisible());
    QVERIFY(notice->text().contains(u"NaN in layer conv1"_s));
    picture(w.page->runPage(), u"run-failed"_s);
}

void RunPagesTest::asksBeforeDeleting()
{
    Window w;
    w.openWithSixRuns();
    w.table().selectRow(3);
    w.table().setFocus();
    const auto answer = [](const QString& button) {
        QTimer::singleShot(50, [button] {
            auto* box = qobject_cast<QMessageBox*>(QApplication::activeModalWidget());
            QVERIFY(box);
            for (QAbstractButton* candidate : box->buttons()) {
                if (candidate->text().remove(u'&') == button) return candidate->click();
            }
            box->reject();
            QFAIL("no such button");
        });
    };
    answer(u"Cancel"_s);
    QTest::keyClick(&w.table(), Qt::Key_Delete);
    QTest::qWait(100);
    QCOMPARE(w.model().rowCount(), 6);
    answer(u"Delete"_s);
    QTest::keyClick(&w.table(), Qt::Key_Delete);
    QVERIFY(w.waitForRows(5));
}

QTEST_MAIN(RunPagesTest)
#include "run_pages_test.moc"
