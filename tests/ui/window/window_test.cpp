// The whole window on a home of its own, with the real runner: pages, command palette, problems, a real run, and a
// window that goes while the run goes on.
#include "kernels/base/files.h"
#include "ui/design/canvas_scene.h"
#include "ui/design/canvas_view.h"
#include "ui/design/design_page.h"
#include "ui/document/text.h"
#include "ui/models/models_page.h"
#include "ui/runs/runs_model.h"
#include "ui/runs/runs_page.h"
#include "ui/theme/theme.h"
#include "ui/window/command_palette.h"
#include "ui/window/main_window.h"
#include "ui/window/rail.h"
#include "ui/window/status_strip.h"

#include <QAbstractItemModelTester>
#include <QLineEdit>
#include <QListWidget>
#include <QMenu>
#include <QPushButton>
#include <QSettings>
#include <QSignalSpy>
#include <QTableView>
#include <QTemporaryDir>
#include <QtTest>
#include <memory>

using namespace millrace;
using namespace millrace::ui;
using namespace Qt::StringLiterals;

namespace {

constexpr int kPatienceMs = 60'000; // a run on a busy machine

// What app/wiring builds, on a home that may be shared by several one after the other.
struct Desktop
{
    explicit Desktop(const QString& folder)
        : home{folder.toStdString()}, document(catalogue, &answers), files(document, folder),
          tracking({home, {}, qEnvironmentVariable("MILLRACE_RESOURCES").toStdString(), 50}),
          window({document, files, tracking, answers,
                  qEnvironmentVariable("MILLRACE_RESOURCES") + u"/templates/quick_start.millrace"_s})
    {
        for (QAbstractItemModel* model : window.findChildren<QAbstractItemModel*>())
            if (qstrncmp(model->metaObject()->className(), "millrace::", 10) == 0) // not Qt's own
                new QAbstractItemModelTester(model, QAbstractItemModelTester::FailureReportingMode::QtTest, &window);
        files.start();
        window.resize(1280, 800);
        window.show();
        QVERIFY(QTest::qWaitForWindowActive(&window));
    }
    void openQuickStart(const char* epochs)
    {
        QSignalSpy opened(&files, &DocumentFiles::opened);
        command(u"Open the Quick Start"_s)->trigger();
        QVERIFY(opened.wait());
        QTRY_VERIFY_WITH_TIMEOUT(document.canRun(), kPatienceMs); // the runner has looked at the data
        QVERIFY(
            document.change(setting(document.pipeline(), "fit", "epochs", pipeline::Json::parse(epochs)), u"Set"_s));
    }
    QAction* command(const QString& text) const
    {
        for (QAction* action : window.commands())
            if (action->text() == text) return action;
        return nullptr;
    }
    QString runState(const QString& run)
    {
        QString state;
        const auto connection =
            QObject::connect(&tracking, &Tracking::runAnswered, &window, [&](RequestId, const RunDetails& details) {
                if (details->summary.id == run) state = toQt(protocol::name(details->summary.state));
            });
        tracking.requestRun(run);
        for (int waited = 0; state.isEmpty() && waited < 5000; waited += 20) QTest::qWait(20);
        QObject::disconnect(connection);
        return state;
    }

    protocol::Home home;
    pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    RunnerAnswers answers;
    PipelineDocument document;
    DocumentFiles files;
    Tracking tracking;
    MainWindow window;
};

} // namespace

class WindowTest : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase() { theme().apply(); }
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }

    void pagesSwitchByKeys();
    void paletteListsAndRuns();
    void designKeysStayOnTheirPage();
    void problemLeadsToItsNode();
    void colorsAreChosenAndKept();
    void closesWithASelection();
    void runsTheQuickStart();
    void runOutlivesTheWindow();

private:
    std::unique_ptr<QTemporaryDir> m_folder;
};

void WindowTest::pagesSwitchByKeys()
{
    Desktop desktop(m_folder->path());
    const auto rail = desktop.window.findChildren<RailButton*>();
    QCOMPARE(rail.size(), 3);
    const std::pair<Qt::Key, MainWindow::Page> pages[] = {
        {Qt::Key_2, MainWindow::Runs}, {Qt::Key_3, MainWindow::Models}, {Qt::Key_1, MainWindow::Design}};
    for (const auto& [key, page] : pages) {
        QTest::keyClick(&desktop.window, key, Qt::ControlModifier);
        QCOMPARE(desktop.window.page(), page);
        for (RailButton* button : rail) QCOMPARE(button->isChecked(), rail.indexOf(button) == page);
    }
    QVERIFY(desktop.window.designPage().isVisible());
    QTest::mouseClick(rail[MainWindow::Runs], Qt::LeftButton);
    QCOMPARE(desktop.window.page(), MainWindow::Runs);
    QVERIFY(desktop.window.runsPage().isVisible());
}

void WindowTest::paletteListsAndRuns()
{
    Desktop desktop(m_folder->path());
    CommandPalette& palette = desktop.window.commandPalette();
    const auto chosen = [&] {
        const QListWidgetItem* item = palette.list()->currentItem();
        return item == nullptr ? QString() : item->text();
    };
    QTest::keyClick(&desktop.window, Qt::Key_K, Qt::ControlModifier);
    QVERIFY(palette.isVisible());
    QVERIFY(palette.field()->hasFocus());
    QVERIFY(palette.list()->count() > 15);
    for (int row = 0; row < palette.list()->count(); ++row) {
        const QAction* action = desktop.command(palette.list()->item(row)->text());
        QVERIFY(action == nullptr || action->isEnabled());
    }
    // letters in their order are enough
    QTest::keyClicks(palette.field(), u"gomod"_s);
    QCOMPARE(chosen(), u"Go to Models"_s);
    QTest::keyClick(palette.field(), Qt::Key_Return);
    QVERIFY(!palette.isVisible());
    QTRY_COMPARE(desktop.window.page(), MainWindow::Models);
    // what fits nothing runs nothing, and Escape leaves
    QTest::keyClick(&desktop.window, Qt::Key_K, Qt::ControlModifier);
    QTest::keyClicks(palette.field(), u"zzzz"_s);
    QCOMPARE(palette.list()->count(), 0);
    QTest::keyClick(palette.field(), Qt::Key_Return);
    QTest::keyClick(palette.field(), Qt::Key_Escape);
    QVERIFY(!palette.isVisible());
    // arrows choose
    desktop.window.activateWindow(); // there is no window manager here to do so when a popup goes
    QVERIFY(QTest::qWaitForWindowActive(&desktop.window));
    QTest::keyClick(&desktop.window, Qt::Key_K, Qt::ControlModifier);
    QVERIFY(palette.isVisible());
    QTest::keyClicks(palette.field(), u"go to"_s);
    QTest::keyClick(palette.field(), Qt::Key_Down);
    QCOMPARE(chosen(), u"Go to Runs"_s);
    QTest::keyClick(palette.field(), Qt::Key_Return);
    QTRY_COMPARE(desktop.window.page(), MainWindow::Runs);
}

void WindowTest::designKeysStayOnTheirPage()
{
    Desktop desktop(m_folder->path());
    desktop.openQuickStart("2");
    DesignPage& design = desktop.window.designPage();
    design.scene().select({"fit"});
    const std::string before = desktop.document.text();
    desktop.window.showPage(MainWindow::Runs);
    auto* focused = desktop.window.findChildren<RailButton*>().at(MainWindow::Runs);
    focused->setFocus();
    QVERIFY(focused->hasFocus());
    const std::pair<Qt::Key, Qt::KeyboardModifiers> keys[] = {{Qt::Key_Delete, Qt::NoModifier},
                                                              {Qt::Key_D, Qt::ControlModifier},
                                                              {Qt::Key_X, Qt::ControlModifier},
                                                              {Qt::Key_Z, Qt::ControlModifier}};
    for (const auto& [key, modifiers] : keys) {
        QTest::keyClick(focused, key, modifiers);
        QCOMPARE(desktop.document.text(), before);
    }
    // chosen by name it is seen what it does
    desktop.command(u"Fit to View"_s)->trigger();
    QCOMPARE(desktop.window.page(), MainWindow::Design);
}

void WindowTest::problemLeadsToItsNode()
{
    Desktop desktop(m_folder->path());
    desktop.openQuickStart("2");
    QPushButton* problems = desktop.window.strip().problemsButton();
    QVERIFY(!problems->isEnabled());
    QVERIFY(
        desktop.document.change(setting(desktop.document.pipeline(), "split", "train", pipeline::Json(7)), u"Set"_s));
    QVERIFY(problems->isEnabled());
    QVERIFY(!desktop.window.designPage().runAction()->isEnabled());
    desktop.window.showPage(MainWindow::Runs);
    bool chosen = false;
    QTimer::singleShot(100, &desktop.window, [&] { // the menu has an event loop of its own
        auto* menu = qobject_cast<QMenu*>(QApplication::activePopupWidget());
        if (menu == nullptr) return;
        chosen = menu->actions().first()->text().contains(u"7"_s);
        QTest::keyClick(menu, Qt::Key_Down);
        QTest::keyClick(menu, Qt::Key_Return);
    });
    QTest::mouseClick(problems, Qt::LeftButton);
    QVERIFY(chosen);
    QCOMPARE(desktop.window.page(), MainWindow::Design);
    QCOMPARE(desktop.window.designPage().scene().selectedNodes(), std::vector<std::string>{"split"});
    desktop.document.undoStack()->undo();
    QVERIFY(!problems->isEnabled());
}

void WindowTest::colorsAreChosenAndKept()
{
    {
        Desktop desktop(m_folder->path());
        desktop.command(u"Dark Colors"_s)->trigger();
        QVERIFY(theme().isDark());
        QVERIFY(desktop.window.grab().toImage().pixelColor(30, 400).lightness() < 100);
        desktop.command(u"Light Colors"_s)->trigger();
        QVERIFY(!theme().isDark());
        QVERIFY(desktop.window.grab().toImage().pixelColor(30, 400).lightness() > 200);
        desktop.command(u"Dark Colors"_s)->trigger();
        QVERIFY(desktop.window.close());
    }
    theme().setMode(Theme::Mode::Light);
    Desktop next(m_folder->path());
    QVERIFY(theme().isDark());
    theme().setMode(Theme::Mode::Light);
}

void WindowTest::closesWithASelection()
{
    Desktop desktop(m_folder->path());
    desktop.openQuickStart("2");
    desktop.window.designPage().view().selectAll();
    QVERIFY(desktop.window.close());
}

void WindowTest::runsTheQuickStart()
{
    Desktop desktop(m_folder->path());
    desktop.openQuickStart("2");
    DesignPage& design = desktop.window.designPage();
    QVERIFY(design.runAction()->isEnabled());
    QSignalSpy launched(&desktop.tracking, &Tracking::launched);
    design.view().setFocus();
    QTest::keyClick(&design.view(), Qt::Key_R, Qt::ControlModifier);
    QVERIFY(launched.wait(kPatienceMs));
    const QString run = launched[0][1].toString();
    const auto& progress = [&] { return desktop.document.progress(); };
    QTRY_COMPARE_WITH_TIMEOUT(progress().state, u"finished"_s, kPatienceMs);
    QVERIFY(!progress().active);
    QCOMPARE(progress().run, run);
    for (const char* node : {"digits", "split", "net", "fit", "evaluate", "register"}) {
        QCOMPARE(progress().stages.value(QString::fromLatin1(node)).state, StageState::Finished);
        QCOMPARE(design.scene().node(node)->view().sign, Sign::Done);
    }
    QVERIFY(design.runAction()->isEnabled());
    QVERIFY(!desktop.command(u"Stop"_s)->isEnabled());
    QCOMPARE(desktop.runState(run), u"finished"_s);

    desktop.window.showPage(MainWindow::Runs);
    auto* model = desktop.window.findChild<RunsModel*>();
    QVERIFY(model != nullptr);
    QTRY_COMPARE(model->rowCount(), 1);
    desktop.window.grab(); // with the table in it

    // an edit takes the ticks away, for they would stand at what never ran
    desktop.window.showPage(MainWindow::Design);
    QVERIFY(
        desktop.document.change(setting(desktop.document.pipeline(), "fit", "epochs", pipeline::Json(3)), u"Set"_s));
    QCOMPARE(design.scene().node("digits")->view().sign, Sign::None);
}

void WindowTest::runOutlivesTheWindow()
{
    QString run;
    {
        Desktop desktop(m_folder->path());
        desktop.openQuickStart("2000");
        QSignalSpy launched(&desktop.tracking, &Tracking::launched);
        desktop.window.designPage().runAction()->trigger();
        QVERIFY(launched.wait(kPatienceMs));
        run = launched[0][1].toString();
        QTRY_COMPARE_WITH_TIMEOUT(desktop.document.progress().stage, u"fit"_s, kPatienceMs);
        QVERIFY(desktop.command(u"Stop"_s)->isEnabled());
    } // everything of the window is gone
    Desktop next(m_folder->path());
    QSignalSpy progressed(&next.tracking, &Tracking::progressChanged);
    QVERIFY(progressed.wait(kPatienceMs));
    QCOMPARE(next.runState(run), u"running"_s);
    const auto epochs = [&] { return progressed.last()[0].value<RunProgress>(); };
    QCOMPARE(epochs().run, run);
    const QString then = epochs().text;
    QTRY_VERIFY_WITH_TIMEOUT(epochs().text != then, kPatienceMs); // it works on
    next.tracking.stop(run);
    QTRY_COMPARE_WITH_TIMEOUT(epochs().state, u"stopped"_s, kPatienceMs);
    QCOMPARE(next.runState(run), u"stopped"_s);
}

QTEST_MAIN(WindowTest)
#include "window_test.moc"
