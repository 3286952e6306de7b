// The look: enough contrast in both schemes, icons that follow, widgets as high as the grid says.
#include "ui/theme/style_sheet.h"
#include "ui/theme/theme.h"
#include "ui/widgets/button.h"
#include "ui/widgets/label.h"
#include "ui/widgets/notice_bar.h"
#include "ui/widgets/sign.h"

#include <QComboBox>
#include <QDirIterator>
#include <QLineEdit>
#include <QPainter>
#include <QSignalSpy>
#include <QtTest>
#include <cmath>

using namespace millrace::ui;

class ThemeTest : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase() { theme().apply(); }
    void modesSwitch();
    void textHasContrast_data();
    void textHasContrast();
    void meaningfulShapesHaveContrast_data() { textHasContrast_data(); }
    void meaningfulShapesHaveContrast();
    void styleSheetHasNoNameLeft();
    void everyIconDrawsInItsColour();
    void controlsAreThirtyHigh();
    void signsDiffer();
    void longTextIsShortened();
    void noticeSaysWhichButton();
};

namespace {

double luminance(const QColor& color)
{
    const auto linear = [](double value) {
        return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
    };
    return 0.2126 * linear(color.redF()) + 0.7152 * linear(color.greenF()) + 0.0722 * linear(color.blueF());
}

double contrast(const QColor& a, const QColor& b)
{
    const double light = std::max(luminance(a), luminance(b)), dark = std::min(luminance(a), luminance(b));
    return (light + 0.05) / (dark + 0.05);
}

QImage painted(Sign sign)
{
    QImage image(32, 32, QImage::Format_ARGB32_Premultiplied);
    image.fill(Qt::transparent);
    QPainter painter(&image);
    paintSign(painter, QRectF(0, 0, 32, 32), sign);
    return image;
}

} // namespace

void ThemeTest::modesSwitch()
{
    theme().setMode(Theme::Mode::Light);
    QSignalSpy changed(&theme(), &Theme::changed);
    theme().setMode(Theme::Mode::Dark);
    QCOMPARE(changed.count(), 1);
    QVERIFY(theme().isDark());
    QCOMPARE(theme().color(Role::Surface), QColor(0x1B, 0x1F, 0x26));
    QCOMPARE(QApplication::palette().color(QPalette::Text), theme().color(Role::Text));
    theme().setMode(Theme::Mode::Light);
    QCOMPARE(changed.count(), 2);
    QCOMPARE(theme().color(Role::Surface), QColor(0xFF, 0xFF, 0xFF));
}

void ThemeTest::textHasContrast_data()
{
    QTest::addColumn<bool>("dark");
    QTest::newRow("light") << false;
    QTest::newRow("dark") << true;
}

void ThemeTest::textHasContrast()
{
    QFETCH(bool, dark);
    theme().setMode(dark ? Theme::Mode::Dark : Theme::Mode::Light);
    for (const Role text : {Role::Text, Role::Muted, Role::Accent, Role::Bad})
        for (const Role ground : {Role::Surface, Role::Raised, Role::Window, Role::Canvas})
            QVERIFY2(contrast(theme().color(text), theme().color(ground)) >= 4.5,
                     qPrintable(QStringLiteral("%1 on %2").arg(int(text)).arg(int(ground))));
    QVERIFY(contrast(theme().color(Role::OnAccent), theme().color(Role::Accent)) >= 4.5);
    QVERIFY(contrast(theme().color(Role::Accent), theme().color(Role::AccentSoft)) >= 4.5);
}

void ThemeTest::meaningfulShapesHaveContrast()
{
    QFETCH(bool, dark);
    theme().setMode(dark ? Theme::Mode::Dark : Theme::Mode::Light);
    for (int i = 0; i < Theme::kRunColors; ++i) QVERIFY(contrast(theme().run(i), theme().color(Role::Raised)) >= 3);
    for (const Role role : {Role::Good, Role::Caution, Role::Bad, Role::Accent})
        QVERIFY(contrast(theme().color(role), theme().color(Role::Raised)) >= 3);
}

void ThemeTest::styleSheetHasNoNameLeft()
{
    const QString sheet = styleSheet(theme());
    QVERIFY(sheet.size() > 1000);
    QVERIFY(!sheet.contains(QLatin1Char('@')));
}

void ThemeTest::everyIconDrawsInItsColour()
{
    theme().setMode(Theme::Mode::Light);
    QDirIterator files(QStringLiteral(":/icons"));
    int count = 0;
    while (files.hasNext()) {
        const QString name = QFileInfo(files.next()).baseName();
        if (name.startsWith(QLatin1String("style_"))) continue;
        ++count;
        const QImage image = icon(name, Role::Accent).pixmap(40, 40).toImage().convertToFormat(QImage::Format_ARGB32);
        bool found = false;
        for (int y = 0; y < image.height() && !found; ++y)
            for (int x = 0; x < image.width() && !found; ++x)
                found = image.pixelColor(x, y) == theme().color(Role::Accent);
        QVERIFY2(found, qPrintable(name));
    }
    QVERIFY(count > 20);
}

void ThemeTest::controlsAreThirtyHigh()
{
    QWidget page;
    QLineEdit edit(&page);
    QComboBox combo(&page);
    QPushButton* button = makeButton(QStringLiteral("Stop"), ButtonKind::Secondary, {}, &page);
    page.ensurePolished();
    page.show();
    QCOMPARE(edit.sizeHint().height(), measure::kControl);
    QCOMPARE(combo.sizeHint().height(), measure::kControl);
    QCOMPARE(button->sizeHint().height(), measure::kControl);
}

void ThemeTest::signsDiffer()
{
    const QList<Sign> signs{Sign::Waiting, Sign::Cached,  Sign::Running, Sign::Done,
                            Sign::Failed,  Sign::Warning, Sign::Stopped, Sign::Skipped};
    for (int i = 0; i < signs.size(); ++i)
        for (int j = i + 1; j < signs.size(); ++j) QVERIFY(painted(signs[i]) != painted(signs[j]));
    QVERIFY(painted(Sign::Running) != painted(Sign::None));
}

void ThemeTest::longTextIsShortened()
{
    Label label(QStringLiteral("a rather long text that has no room"));
    label.setElided(true);
    label.resize(60, 20);
    label.grab();
    QCOMPARE(label.toolTip(), label.text());
    QVERIFY(label.minimumSizeHint().width() < 60);
}

void ThemeTest::noticeSaysWhichButton()
{
    NoticeBar bar;
    bar.show(Sign::Warning, QStringLiteral("The file changed."),
             {QStringLiteral("Overwrite"), QStringLiteral("Reload")});
    QSignalSpy clicked(&bar, &NoticeBar::buttonClicked);
    QTest::mouseClick(bar.button(1), Qt::LeftButton);
    QCOMPARE(clicked.count(), 1);
    QCOMPARE(clicked[0][0].toInt(), 1);
    QVERIFY(bar.isHidden());
}

QTEST_MAIN(ThemeTest)
#include "theme_test.moc"
