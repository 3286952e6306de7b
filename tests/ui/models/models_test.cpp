// The page Models driven by real events, on a real database and a real child process that answers; drawing and rows.
// With MILLRACE_PICTURES=folder it leaves pictures there.
#include "tests/ui/bridge/run_maker.h"
#include "ui/models/drawing_pad.h"
#include "ui/models/models_page.h"
#include "ui/models/prediction_view.h"
#include "ui/models/row_input.h"
#include "ui/models/text_trial.h"
#include "ui/models/try_it.h"
#include "ui/models/version_table.h"
#include "ui/theme/theme.h"
#include "ui/widgets/empty_state.h"

#include <QAbstractItemModelTester>
#include <QDir>
#include <QLabel>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTableView>
#include <QTemporaryDir>
#include <QTest>
#include <cmath>
#include <numeric>

using namespace millrace;
using namespace millrace::ui;
using namespace Qt::StringLiterals;

namespace {

double inkOf(const std::vector<float>& pixels)
{
    return std::accumulate(pixels.begin(), pixels.end(), 0.0);
}

/// Columns and rows that have ink.
QRect boundsOf(const std::vector<float>& pixels, int width, int height)
{
    QRect bounds;
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            if (pixels[static_cast<std::size_t>(y * width + x)] > 0.05f) bounds |= QRect(x, y, 1, 1);
        }
    }
    return bounds;
}

Stroke ring(double centerX, double centerY, double radiusX, double radiusY)
{
    Stroke stroke;
    for (int degrees = 0; degrees <= 360; degrees += 10) {
        const double angle = degrees * 3.14159265358979 / 180;
        stroke << QPointF(centerX + radiusX * std::sin(angle), centerY - radiusY * std::cos(angle));
    }
    return stroke;
}

void picture(QWidget& widget, const QString& name)
{
    const QString folder = qEnvironmentVariable("MILLRACE_PICTURES");
    if (folder.isEmpty()) return;
    QTest::qWait(150);
    for (const auto mode : {Theme::Mode::Light, Theme::Mode::Dark}) {
        theme().setMode(mode);
        QTest::qWait(50);
        const QString suffix = mode == Theme::Mode::Dark ? u"dark"_s : u"light"_s;
        widget.grab().save(QDir(folder).filePath(u"%1-%2.png"_s.arg(name, suffix)));
    }
    theme().setMode(Theme::Mode::Light);
}

void drawWithMouse(QWidget& pad, const Stroke& stroke)
{
    QTest::mousePress(&pad, Qt::LeftButton, {}, stroke.front().toPoint());
    for (const QPointF& point : stroke) QTest::mouseMove(&pad, point.toPoint());
    QTest::mouseRelease(&pad, Qt::LeftButton, {}, stroke.back().toPoint());
}

struct Window
{
    QTemporaryDir folder;
    protocol::Home home{folder.path().toStdString()};
    std::unique_ptr<Tracking> tracking;
    std::unique_ptr<RunnerAnswers> answers;
    std::unique_ptr<ModelsPage> page;

    void open()
    {
        TrackingOptions options;
        options.home = home;
        options.pollMs = 20;
        tracking = std::make_unique<Tracking>(options);
        answers = std::make_unique<RunnerAnswers>();
        page = std::make_unique<ModelsPage>(*tracking, *answers);
        page->resize(1216, 772);
        page->show();
        QVERIFY(QTest::qWaitForWindowExposed(page.get()));
    }
};

} // namespace

class ModelsTest : public QObject
{
    Q_OBJECT
private slots:
    void initTestCase();
    void picturesFillTheirBox();
    void picturesAreTheSameAtAnySize();
    void picturesOfTwentyPixelsAndMoreAreCentred();
    void padDrawsByMouseAndKeys();
    void rowsFromCsv_data();
    void rowsFromCsv();
    void rowsExplainMistakes();
    void showsAnEmptyPage();
    void showsVersionsAndMovesAliases();
    void answersWhileOneDraws();
    void answersRows();
    void showsAnError();
    void generatesText();
    void stopsGenerating();
};

void ModelsTest::initTestCase()
{
    theme().setMode(Theme::Mode::Light);
    theme().apply();
}

void ModelsTest::picturesFillTheirBox()
{
    const auto zero = networkPicture({ring(100, 100, 30, 50)}, 8, 8);
    const QRect bounds = boundsOf(zero, 8, 8);
    QCOMPARE(bounds.top(), 0);
    QCOMPARE(bounds.bottom(), 7);
    QCOMPARE(bounds.left(), 1);
    QCOMPARE(bounds.right(), 6);
    QVERIFY(zero[3 * 8 + 3] < 0.1f && zero[4 * 8 + 4] < 0.1f); // hollow
    QVERIFY(*std::max_element(zero.begin(), zero.end()) <= 1.0f);
    // as much ink as the real digits have: 4.9 of 16 in the mean
    const double share = inkOf(zero) / 64;
    QVERIFY2(share > 0.22 && share < 0.42, qPrintable(QString::number(share)));
    // an upright line keeps its shape: high and narrow, in the middle
    const QRect one = boundsOf(networkPicture({Stroke{{50, 10}, {50, 90}}}, 8, 8), 8, 8);
    QCOMPARE(one.height(), 8);
    QVERIFY(one.width() <= 2);
    QVERIFY(one.left() >= 3 && one.right() <= 4);
    // left and right are alike
    for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 4; ++x) {
            QVERIFY(std::abs(zero[static_cast<std::size_t>(y * 8 + x)] -
                             zero[static_cast<std::size_t>(y * 8 + 7 - x)]) < 0.1f);
        }
    }
    QCOMPARE(inkOf(networkPicture({}, 8, 8)), 0.0);
    QVERIFY(inkOf(networkPicture({Stroke{{5, 5}}}, 8, 8)) > 0.5); // a dot
}

void ModelsTest::picturesAreTheSameAtAnySize()
{
    const auto small = networkPicture({ring(20, 20, 6, 10)}, 8, 8);
    const auto large = networkPicture({ring(140, 120, 60, 100)}, 8, 8);
    for (std::size_t i = 0; i < small.size(); ++i) QVERIFY(std::abs(small[i] - large[i]) < 0.02f);
}

void ModelsTest::picturesOfTwentyPixelsAndMoreAreCentred()
{
    // a foot at one side: the centre of mass, not that of the box, stands in the middle
    const auto picture = networkPicture({Stroke{{0, 0}, {0, 100}, {60, 100}}}, 28, 28);
    double x = 0, y = 0;
    for (int row = 0; row < 28; ++row) {
        for (int column = 0; column < 28; ++column) {
            const double ink = picture[static_cast<std::size_t>(row * 28 + column)];
            x += ink * (column + 0.5);
            y += ink * (row + 0.5);
        }
    }
    QVERIFY(std::abs(x / inkOf(picture) - 14) < 0.3);
    QVERIFY(std::abs(y / inkOf(picture) - 14) < 0.3);
    const QRect bounds = boundsOf(picture, 28, 28);
    QVERIFY(bounds.height() >= 19 && bounds.height() <= 21);
}

void ModelsTest::padDrawsByMouseAndKeys()
{
    DrawingPad pad;
    pad.show();
    QVERIFY(QTest::qWaitForWindowExposed(&pad));
    QSignalSpy changed(&pad, &DrawingPad::changed);
    drawWithMouse(pad, Stroke{{40, 40}, {40, 80}, {40, 200}});
    QCOMPARE(pad.strokes().size(), std::size_t(1));
    QVERIFY(pad.strokes()[0].size() >= 3);
    QVERIFY(changed.size() >= 3);
    QTest::mouseMove(&pad, {120, 120}); // the pen is up
    QCOMPARE(pad.strokes().size(), std::size_t(1));
    QTest::keyClick(&pad, Qt::Key_Right);
    QTest::keyClick(&pad, Qt::Key_Space);
    for (int i = 0; i < 5; ++i) QTest::keyClick(&pad, Qt::Key_Down);
    QTest::keyClick(&pad, Qt::Key_Space);
    QTest::keyClick(&pad, Qt::Key_Down);
    QCOMPARE(pad.strokes().size(), std::size_t(2));
    QCOMPARE(pad.strokes()[1].size(), 7); // set down, where it stood, and five steps
    QTest::keyClick(&pad, Qt::Key_Delete);
    QVERIFY(pad.isEmpty());
}

void ModelsTest::rowsFromCsv_data()
{
    QTest::addColumn<QStringList>("expected");
    const QStringList fields = {u"1.5"_s, u"2"_s, u"red"_s};
    const auto row = [](const char* text, const QStringList& expected) { QTest::newRow(text) << expected; };
    row("1.5,2,red", fields);
    row(" 1.5 , 2 , red \n", fields);
    row("1.5;2;red", fields);
    row("1.5\t2\tred", fields);
    row("1.5,2,red,setosa", fields);
    row("length,width,colour\n1.5,2,red", fields);
    row("colour,kind,Width,length\nred,setosa,2,1.5", fields);
    row("\"1.5\",2,\"red\"", fields);
    row("1,,\"dark \"\"red\"\", matt\"", {u"1"_s, QString(), u"dark \"red\", matt"_s});
}

void ModelsTest::rowsFromCsv()
{
    QFETCH(QStringList, expected);
    const auto fields =
        fieldsFromCsv(QString::fromUtf8(QTest::currentDataTag()), {u"length"_s, u"width"_s, u"colour"_s});
    QVERIFY(fields);
    QCOMPARE(*fields, expected);
    // what is sent reads back the same
    QCOMPARE(*fieldsFromCsv(csvLine(*fields), {u"length"_s, u"width"_s, u"colour"_s}), expected);
}

void ModelsTest::rowsExplainMistakes()
{
    const QStringList columns = {u"length"_s, u"width"_s, u"colour"_s};
    QCOMPARE(fieldsFromCsv(u"1,2"_s, columns).error().message,
             std::string("This row has 2 values, but the model takes 3: length, width, colour."));
    QCOMPARE(fieldsFromCsv(u"length,width\n1,2"_s, columns).error().message,
             std::string("The model also takes colour, which this row does not have."));
    QVERIFY(fieldsFromCsv(u"length,width,colour"_s, columns).error().message.find("the values is missing") !=
            std::string::npos);
    QVERIFY(!fieldsFromCsv(u" \n "_s, columns));
}

void ModelsTest::showsAnEmptyPage()
{
    Window w;
    w.open();
    auto* empty = w.page->findChild<EmptyState*>();
    QTRY_VERIFY(empty->isVisible());
    QSignalSpy asked(w.page.get(), &ModelsPage::quickStartRequested);
    QTest::mouseClick(empty->button(), Qt::LeftButton);
    QCOMPARE(asked.size(), 1);
    picture(*w.page, u"models-empty"_s);
}

void ModelsTest::showsVersionsAndMovesAliases()
{
    Window w;
    QAbstractItemModelTester* tester = nullptr;
    test::writeRun(w.home, {});
    test::MadeRun second;
    second.id = "20260301-111500-000-bbbbbb";
    second.name = "calm-otter";
    second.accuracy = 0.981;
    test::writeRun(w.home, second);
    w.open();
    tester = new QAbstractItemModelTester(&w.page->versions(), QAbstractItemModelTester::FailureReportingMode::QtTest,
                                          w.page.get());
    Q_UNUSED(tester)
    QTRY_COMPARE_WITH_TIMEOUT(w.page->versions().rowCount(), 2, 10'000);
    auto* table = w.page->findChild<QTableView*>();
    QCOMPARE(w.page->versions().index(0, VersionModel::From).data().toString(), u"calm-otter"_s);
    QCOMPARE(w.page->versions().index(0, VersionModel::FirstMetric).data().toString(), u"0.981"_s);
    QSignalSpy run(w.page.get(), &ModelsPage::runRequested);
    QTest::mouseClick(table->viewport(), Qt::LeftButton, {},
                      table->visualRect(w.page->versions().index(1, VersionModel::From)).center());
    QCOMPARE(run.size(), 1);
    QCOMPARE(run[0][0].toString(), QString::fromStdString(test::MadeRun{}.id));
    auto* alias = w.page->findChild<QLineEdit*>();
    for (QLineEdit* edit : w.page->findChildren<QLineEdit*>()) {
        if (edit->accessibleName() == u"New alias") alias = edit;
    }
    QTest::keyClicks(alias, u"best"_s);
    QTest::keyClick(alias, Qt::Key_Return);
    QTRY_COMPARE(w.page->versions().index(1, VersionModel::Aliases).data().toString(), u"best"_s);
    for (QPushButton* button : w.page->findChildren<QPushButton*>()) {
        if (button->accessibleName() == u"Remove alias best") QTest::mouseClick(button, Qt::LeftButton);
    }
    QTRY_COMPARE(w.page->versions().index(1, VersionModel::Aliases).data().toString(), QString());
}

void ModelsTest::answersWhileOneDraws()
{
    Window w;
    test::writeRun(w.home, {});
    w.open();
    QTRY_COMPARE_WITH_TIMEOUT(w.page->versions().rowCount(), 1, 10'000);
    TryIt& tryIt = w.page->tryIt();
    ModelVersionRow version;
    version.folder = u"/image"_s; // what the scripted runner knows as a model of images
    tryIt.setVersion(version);
    QTRY_VERIFY(tryIt.pad().isVisible());
    QSignalSpy predicted(w.answers.get(), &RunnerAnswers::predicted);
    drawWithMouse(tryIt.pad(), ring(120, 120, 60, 95));
    QTRY_VERIFY(predicted.size() >= 2); // asked while the pen moved, and at last for the whole
    QTRY_VERIFY(tryIt.answer().words().startsWith(u"no"_s));
    QTest::qWait(50);
    const auto last = predicted.back()[1].value<Prediction>();
    QVERIFY(std::abs(last.probabilities[1] - inkOf(networkPicture(tryIt.pad().strokes(), 8, 8)) / 64) < 1e-4);
    picture(*w.page, u"models"_s);
    QTest::keyClick(&tryIt.pad(), Qt::Key_Delete);
    QVERIFY(tryIt.answer().words().startsWith(u"Draw a digit"_s));
}

void ModelsTest::answersRows()
{
    Window w;
    test::writeRun(w.home, {});
    w.open();
    QTRY_COMPARE_WITH_TIMEOUT(w.page->versions().rowCount(), 1, 10'000);
    TryIt& tryIt = w.page->tryIt();
    ModelVersionRow version;
    version.folder = u"/table"_s;
    tryIt.setVersion(version);
    QTRY_VERIFY(tryIt.row().isVisible());
    tryIt.row().paste().setPlainText(u"5.1\t3.5\tred"_s);
    QCOMPARE(tryIt.row().fields(), (QStringList{u"5.1"_s, u"3.5"_s, u"red"_s}));
    QTRY_COMPARE(tryIt.answer().words(), u"no · 100.0 %"_s);
    picture(*w.page, u"models-row"_s);
    tryIt.row().paste().setPlainText(u"5.1, 3.5"_s);
    QVERIFY(tryIt.row().problem().contains(u"takes 3: length, width, colour"_s));
}

void ModelsTest::showsAnError()
{
    Window w;
    test::writeRun(w.home, {});
    w.open();
    QTRY_COMPARE_WITH_TIMEOUT(w.page->versions().rowCount(), 1, 10'000);
    TryIt& tryIt = w.page->tryIt();
    ModelVersionRow version;
    version.folder = u"/table"_s;
    tryIt.setVersion(version);
    QTRY_VERIFY(tryIt.row().isVisible());
    tryIt.row().paste().setPlainText(u"bad,3.5,red"_s);
    const auto shown = [&] {
        for (QLabel* label : tryIt.findChildren<QLabel*>()) {
            if (label->isVisible() && label->text().contains(u"“bad” is no number"_s)) return true;
        }
        return false;
    };
    QTRY_VERIFY(shown());
    picture(*w.page, u"models-error"_s);
    tryIt.row().paste().setPlainText(u"1,2,3"_s);
    QTRY_VERIFY(!shown());
}

void ModelsTest::generatesText()
{
    Window w;
    test::writeRun(w.home, {});
    w.open();
    QTRY_COMPARE_WITH_TIMEOUT(w.page->versions().rowCount(), 1, 10'000);
    TryIt& tryIt = w.page->tryIt();
    ModelVersionRow version;
    version.folder = u"/text"_s;
    tryIt.setVersion(version);
    TextTrial& trial = tryIt.text();
    QTRY_VERIFY(trial.isVisible());
    QVERIFY(!trial.generateButton().isEnabled()); // there is no prompt
    picture(*w.page, u"models-text-empty"_s);
    QTest::keyClicks(&trial.prompt(), u"To be, "_s);
    QVERIFY(trial.generateButton().isEnabled());
    QVERIFY(!trial.stopButton().isEnabled());
    QCOMPARE(trial.settings().tokens, 200);
    QSignalSpy pieces(w.answers.get(), &RunnerAnswers::generatedText);
    QTest::mouseClick(&trial.generateButton(), Qt::LeftButton);
    QVERIFY(!trial.generateButton().isEnabled()); // one at a time
    QTRY_COMPARE(trial.status(), u"200 tokens · 400 tokens/s"_s);
    QCOMPARE(pieces.size(), 200);
    QCOMPARE(trial.text().toPlainText(), u"To be, "_s.repeated(200));
    QVERIFY(trial.generateButton().isEnabled());
    picture(*w.page, u"models-text"_s);
    // a version of rows takes its place
    version.folder = u"/table"_s;
    tryIt.setVersion(version);
    QTRY_VERIFY(tryIt.row().isVisible());
    QVERIFY(!trial.isVisible());
}

void ModelsTest::stopsGenerating()
{
    Window w;
    test::writeRun(w.home, {});
    w.open();
    QTRY_COMPARE_WITH_TIMEOUT(w.page->versions().rowCount(), 1, 10'000);
    TryIt& tryIt = w.page->tryIt();
    ModelVersionRow version;
    version.folder = u"/text"_s;
    tryIt.setVersion(version);
    TextTrial& trial = tryIt.text();
    QTRY_VERIFY(trial.isVisible());
    trial.prompt().setPlainText(u"endless"_s);
    trial.prompt().setFocus();
    QTest::keyClick(&trial.prompt(), Qt::Key_Return, Qt::ControlModifier);
    QTRY_VERIFY(trial.text().toPlainText().size() > 50); // it comes while more is made
    QVERIFY(trial.stopButton().isEnabled());
    picture(*w.page, u"models-text-generating"_s);
    QTest::mouseClick(&trial.stopButton(), Qt::LeftButton);
    QTRY_VERIFY(trial.status().startsWith(u"Stopped"_s));
    QVERIFY(trial.generateButton().isEnabled());
    const auto length = trial.text().toPlainText().size();
    QTest::qWait(100);
    QCOMPARE(trial.text().toPlainText().size(), length);
    // another version ends what the one before it says
    QTest::mouseClick(&trial.generateButton(), Qt::LeftButton);
    QTRY_VERIFY(!trial.text().toPlainText().isEmpty());
    version.folder = u"/table"_s;
    tryIt.setVersion(version);
    QTRY_VERIFY(tryIt.row().isVisible()); // the runner was free to answer
    QVERIFY(trial.text().toPlainText().isEmpty());
}

QTEST_MAIN(ModelsTest)
#include "models_test.moc"
