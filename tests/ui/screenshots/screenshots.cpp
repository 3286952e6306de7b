// Pictures of every page, light and dark, from a real home: `screenshots OUT_FOLDER [WIDTHxHEIGHT]` with
// $MILLRACE_HOME set. Fill the home first, for example with three runs of the quick start. Looked at by people.
#include "ui/design/canvas_scene.h"
#include "ui/design/design_page.h"
#include "ui/models/drawing_pad.h"
#include "ui/models/models_page.h"
#include "ui/runs/runs_page.h"
#include "ui/theme/theme.h"
#include "ui/window/main_window.h"

#include <QApplication>
#include <QDir>
#include <QElapsedTimer>
#include <QFile>
#include <QTest>

using namespace millrace;
using namespace millrace::ui;

namespace {

void wait(int milliseconds)
{
    QTest::qWait(milliseconds);
}

// A three, drawn with the mouse.
void drawDigit(QWidget& pad)
{
    const QList<QPointF> stroke{{.36, .22}, {.5, .14}, {.64, .18}, {.68, .32}, {.54, .47}, {.48, .52},
                                {.64, .53}, {.7, .66}, {.6, .82},  {.44, .86}, {.33, .79}};
    const auto at = [&](const QPointF& part) {
        return QPoint(qRound(part.x() * pad.width()), qRound(part.y() * pad.height()));
    };
    QTest::mousePress(&pad, Qt::LeftButton, {}, at(stroke.first()));
    for (const QPointF& point : stroke) QTest::mouseMove(&pad, at(point), 10);
    QTest::mouseRelease(&pad, Qt::LeftButton, {}, at(stroke.last()));
}

} // namespace

int main(int argc, char** argv)
{
    QApplication application(argc, argv);
    const QStringList arguments = QApplication::arguments();
    const QString folder = arguments.value(1, QStringLiteral("screenshots"));
    const QStringList size = arguments.value(2, QStringLiteral("1280x800")).split(QLatin1Char('x'));
    QDir().mkpath(folder);
    const auto home = protocol::Home::fromEnvironment();
    if (!home || !home->create()) return 1;
    const QString resources = QStringLiteral(MILLRACE_BINARY_DIR "/share/millrace");
    const QString runner = QStringLiteral(MILLRACE_BINARY_DIR "/bin/millrace-runner");

    theme().apply();
    const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    RunnerAnswers answers(runner);
    PipelineDocument document(catalogue, &answers);
    DocumentFiles files(document, QString::fromStdString(home->path));
    Tracking tracking({*home, runner.toStdString(), resources.toStdString()});
    const QString quickStart = resources + QStringLiteral("/templates/quick_start.millrace");
    MainWindow window({document, files, tracking, answers, quickStart});
    files.openTemplate(quickStart);
    window.resize(size.value(0).toInt(), size.value(1).toInt());
    window.show();
    wait(1500);

    for (const Theme::Mode mode : {Theme::Mode::Light, Theme::Mode::Dark}) {
        theme().setMode(mode);
        const auto take = [&](const char* page) {
            wait(700);
            const QString name = QStringLiteral("%1/%2-%3.png")
                                     .arg(folder, QLatin1String(page),
                                          mode == Theme::Mode::Dark ? QStringLiteral("dark") : QStringLiteral("light"));
            window.grab().save(name);
        };
        window.showPage(MainWindow::Design);
        window.designPage().scene().setScope({});
        window.designPage().scene().select({"fit"});
        // a longer run, so that it is seen at work
        const auto set = [&](const char* parameter, int value) {
            if (!document.change(setting(document.pipeline(), "fit", parameter, pipeline::Json(value)), QString()))
                qFatal("the quick start cannot be changed");
        };
        set("epochs", 400);
        set("seed", mode == Theme::Mode::Dark ? 8 : 9);
        window.designPage().runAction()->trigger();
        wait(5000);
        take("design");
        emit window.designPage().stopRequested(document.progress().run);
        wait(1500);
        document.undoStack()->setIndex(0);
        window.designPage().showRunProgress({});
        window.designPage().scene().setScope("net");
        take("layers");
        window.designPage().scene().setScope({});
        window.showPage(MainWindow::Runs);
        window.runsPage().showAll();
        take("runs");
        QString finished; // the newest run that has a whole story
        const QMetaObject::Connection connection =
            QObject::connect(&tracking, &Tracking::runsAnswered, &window, [&](RequestId, const RunList& runs) {
                for (const auto& run : *runs)
                    if (finished.isEmpty() && run.state == protocol::RunState::Finished && run.seconds() > 0.3)
                        finished = run.id;
            });
        tracking.requestRuns();
        wait(500);
        QObject::disconnect(connection);
        if (!finished.isEmpty()) {
            window.runsPage().showRun(finished);
            take("run");
        }
        window.showPage(MainWindow::Models);
        wait(800);
        if (auto* pad = window.modelsPage().findChild<DrawingPad*>()) drawDigit(*pad);
        take("models");
    }
    return 0;
}
