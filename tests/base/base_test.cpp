// The base module: results, text, shapes, randomness, hashes and durable files.
#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/random.h"
#include "kernels/base/result.h"
#include "kernels/base/shape.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <QtTest>

using namespace millrace;

class BaseTest : public QObject
{
    Q_OBJECT

private slots:
    void errorSaysWhereAndWhatToDo();
    void tryReturnsTheError();
    void numbersIgnoreTheLocale();
    void nearestNamesFindTypos();
    void untrustedTextIsShownVisibly();
    void shapesRefuseOverflow();
    void philoxMatchesThePublishedVector();
    void permutationIsCompleteAndRepeats();
    void sha256MatchesThePublishedVector();
    void durableReplaceKeepsTheOldFileOnFailure();
    void lockIsExclusive();
    void quantitiesReadWell_data();
    void quantitiesReadWell();
};

namespace {
Result<int> half(int value)
{
    if (value % 2 != 0) return makeError(Code::InvalidArgument, str(value, " is odd."));
    return value / 2;
}
Result<int> quarter(int value)
{
    MR_TRY(const int once, half(value));
    MR_TRY(const int twice, half(once));
    return twice;
}
} // namespace

void BaseTest::errorSaysWhereAndWhatToDo()
{
    const Error error = makeError(Code::InvalidArgument, "epochs is 0.").atNode("fit", "epochs").advise("Use 1 or more.");
    QCOMPARE(error.toString(), std::string("node fit, parameter epochs: epochs is 0. Use 1 or more."));
    for (int i = 0; i <= static_cast<int>(Code::Internal); ++i)
        QCOMPARE(codeFromName(codeName(static_cast<Code>(i))), static_cast<Code>(i));
}

void BaseTest::tryReturnsTheError()
{
    QCOMPARE(*quarter(12), 3);
    QCOMPARE(quarter(6).error().message, std::string("3 is odd."));
}

void BaseTest::numbersIgnoreTheLocale()
{
    const char* before = std::setlocale(LC_ALL, "de_DE.UTF-8");
    QCOMPARE(str(1.5), std::string("1.5"));
    QCOMPARE(*parseDouble("1.5"), 1.5);
    QVERIFY(!parseDouble("1,5"));
    QVERIFY(!parseDouble("1.5x"));
    QVERIFY(!parseDouble(""));
    QVERIFY(!parseDouble("+-1"));
    QCOMPARE(*parseDouble("+1e3"), 1000.0);
    Q_UNUSED(before);
    std::setlocale(LC_ALL, "C");
}

void BaseTest::nearestNamesFindTypos()
{
    const std::vector<std::string> names{"adam", "adamw", "sgd", "rmsprop"};
    QCOMPARE(nearestNames("adem", names).front(), std::string("adam"));
    QVERIFY(nearestNames("zzzzzzzzzz", names).empty());
    QCOMPARE(didYouMean("sdg", names), std::string("Did you mean sgd?"));
}

void BaseTest::untrustedTextIsShownVisibly()
{
    QCOMPARE(printable("a\nb\xE2\x80\xAE" "c\xFF"), std::string("a\\u000ab\\u202ec\\xff"));
    QVERIFY(isUtf8("Größe"));
    QVERIFY(!isUtf8("\xC0\x80"));
    QVERIFY(!isUtf8("\xED\xA0\x80"));
}

void BaseTest::shapesRefuseOverflow()
{
    const std::array<std::int64_t, 3> large{1 << 30, 1 << 30, 1 << 30};
    QVERIFY(!Shape::create(large));
    const std::array<std::int64_t, 1> negative{-1};
    QVERIFY(!Shape::create(negative));
    QCOMPARE(Shape({8, 8, 1}).toString(), std::string("8×8×1"));
    QCOMPARE(Shape({}).elements(), std::int64_t{1});
}

void BaseTest::philoxMatchesThePublishedVector()
{
    // the known-answer vectors of the Random123 distribution for philox4x32-10
    const std::array<std::uint32_t, 4> zero{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u};
    QCOMPARE(philox(0, 0, 0), zero);
    const std::array<std::uint32_t, 4> ones{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu};
    QCOMPARE(philox(~0ull, ~0ull, ~0ull), ones);
}

void BaseTest::permutationIsCompleteAndRepeats()
{
    std::vector<std::uint32_t> a(1000), b(1000);
    permutation(7, 1, a);
    permutation(7, 1, b);
    QVERIFY(a == b);
    permutation(8, 1, b);
    QVERIFY(a != b);
    std::sort(a.begin(), a.end());
    for (std::uint32_t i = 0; i < 1000; ++i) QCOMPARE(a[i], i);
}

void BaseTest::sha256MatchesThePublishedVector()
{
    QCOMPARE(sha256("abc"), std::string("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
}

void BaseTest::durableReplaceKeepsTheOldFileOnFailure()
{
    QTemporaryDir folder;
    const std::string path = folder.filePath(QStringLiteral("file")).toStdString();
    QVERIFY(durableReplace(path, "one"));
    QVERIFY(durableReplace(path, "two"));
    QCOMPARE(*readFile(path, 100), std::string("two"));
    QCOMPARE(readFile(path, 2).error().code, Code::TooLarge);
    QCOMPARE(durableReplace(joinPath(path, "below"), "three").error().code, Code::NotFound);
    QCOMPARE(listDirectory(folder.path().toStdString())->size(), std::size_t{1});
}

void BaseTest::lockIsExclusive()
{
    QTemporaryDir folder;
    const std::string path = folder.filePath(QStringLiteral("lock")).toStdString();
    {
        auto first = FileLock::tryAcquire(path);
        QVERIFY(first);
        QCOMPARE(FileLock::tryAcquire(path).error().code, Code::Busy);
    }
    QVERIFY(FileLock::tryAcquire(path));
}

void BaseTest::quantitiesReadWell_data()
{
    QTest::addColumn<QString>("actual");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* name, const std::string& actual, const char* expected) {
        QTest::newRow(name) << QString::fromStdString(actual) << QString::fromUtf8(expected);
    };
    row("bytes", formatBytes(214e6), "214 MB");
    row("few bytes", formatBytes(12), "12 B");
    row("count", formatCount(1234567), "1,234,567");
    row("small count", formatCount(-12), "-12");
    row("short", formatShort(40940), "40.9 k");
    row("rounds up", formatShort(999999), "1 M");
    row("seconds", formatDuration(9.04), "9.0 s");
    row("minutes", formatDuration(125), "2 min 5 s");
    row("hours", formatDuration(3780), "1 h 3 min");
}

void BaseTest::quantitiesReadWell()
{
    QFETCH(QString, actual);
    QFETCH(QString, expected);
    QCOMPARE(actual, expected);
}

QTEST_GUILESS_MAIN(BaseTest)
#include "base_test.moc"
