// CSV and gzip files made to exhaust memory are refused, and memory stays bounded (row B2 of the catalogue of faults).
#include "engine/data/csv.h"
#include "kernels/base/text.h"

#include <QtTest>
#include <cstring>
#include <sys/resource.h>
#include <zlib.h>

using namespace millrace;
using namespace millrace::data;

namespace {
constexpr std::uint64_t kGigabyte = 1000'000'000;
constexpr long kAllowedKilobytes = 96 * 1024; ///< declared: a line of 8 MB, its buffer, and slack

/// The highest memory of this process so far.
long peakKilobytes()
{
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/// Text that never was in memory: `head`, then `unit` again and again up to the size.
OpenBytes endless(std::string head, std::string unit, std::uint64_t size)
{
    return [head, unit, size]() -> Result<ReadBytes> {
        return ReadBytes([head, unit, size, position = std::uint64_t{0}](
                             char* buffer, std::size_t wanted) mutable -> Result<std::size_t> {
            const std::size_t count = static_cast<std::size_t>(std::min<std::uint64_t>(wanted, size - position));
            for (std::size_t i = 0; i < count; ++i, ++position)
                buffer[i] = position < head.size() ? head[position] : unit[(position - head.size()) % unit.size()];
            return count;
        });
    };
}

std::string gzip(std::string_view text)
{
    z_stream stream{};
    deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}
} // namespace

class CsvLimitsTest : public QObject
{
    Q_OBJECT

private slots:
    void refusesOneEndlessLine();
    void refusesAQuoteThatIsNeverClosed();
    void refusesTooManyColumns();
    void readsAsManyColumnsAsAreAllowed();
    void refusesTheGzipBomb();
    void readsGzipOfSeveralMembers();
    void refusesDamagedGzip();
    void longTextsOfManyRowsTakeNoMemory();
};

void CsvLimitsTest::refusesOneEndlessLine()
{
    const long before = peakKilobytes();
    const auto rows = readCsv(endless("a,b\n1,2\n", "1234567890", 4 * kGigabyte), {}, "bomb.csv");
    QVERIFY(!rows);
    QVERIFY(rows.error().code == Code::TooLarge);
    QCOMPARE(rows.error().subject.line, 3L);
    QVERIFY2(peakKilobytes() - before < kAllowedKilobytes, str(peakKilobytes() - before, " kB").c_str());
}

void CsvLimitsTest::refusesAQuoteThatIsNeverClosed()
{
    const long before = peakKilobytes();
    const auto rows = readCsv(endless("a,b\n1,2\n3,\"", "4,5\n", kGigabyte), {}, "bomb.csv");
    QVERIFY(!rows);
    QVERIFY(rows.error().code == Code::TooLarge);
    QCOMPARE(rows.error().subject.line, 3L);
    QCOMPARE(rows.error().subject.column, 3L);
    QVERIFY2(peakKilobytes() - before < kAllowedKilobytes, str(peakKilobytes() - before, " kB").c_str());
}

void CsvLimitsTest::refusesTooManyColumns()
{
    const auto rows = readCsv(endless("", "1,", 2'000'000), {}, "wide.csv");
    QVERIFY(!rows);
    QVERIFY(rows.error().code == Code::TooLarge);
    QCOMPARE(rows.error().subject.line, 1L);
}

void CsvLimitsTest::readsAsManyColumnsAsAreAllowed()
{
    std::string text;
    for (int row = 0; row < 4; ++row) {
        for (std::size_t column = 1; column < CsvLimits::kColumns; ++column)
            text += str((column + static_cast<std::size_t>(row)) % 10, ",");
        text += row % 2 == 0 ? "x\n" : "y\n";
    }
    const auto rows = readCsv(openMemory(text, "wide.csv"), {}, "wide.csv");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->schema.features.elements(), static_cast<std::int64_t>(CsvLimits::kColumns) - 1);
}

void CsvLimitsTest::refusesTheGzipBomb()
{
    // deflate packs at most about 1000 : 1
    std::string text = "a,b\n";
    while (text.size() < 64'000'000) text += "1,2\n";
    const std::string packed = gzip(text);
    QVERIFY(packed.size() * 400 < text.size());
    const auto rows = readCsv(openMemory(packed, "bomb.csv.gz"), {}, "bomb.csv.gz");
    QVERIFY(!rows);
    QVERIFY(rows.error().code == Code::TooLarge);
    QVERIFY2(rows.error().message.find("200 times") != std::string::npos, rows.error().toString().c_str());
}

void CsvLimitsTest::readsGzipOfSeveralMembers()
{
    const std::string packed = gzip("a,k\n1,x\n2,y\n") + gzip("3,x\n") + gzip("4,y\n");
    const auto rows = readCsv(openMemory(packed, "rows.csv.gz"), {}, "rows.csv.gz");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->features, (std::vector<float>{1, 2, 3, 4}));
}

void CsvLimitsTest::refusesDamagedGzip()
{
    std::string text = "a,k\n";
    for (int i = 0; i < 1000; ++i) text += str(i * 7919 % 1000, i % 3 == 0 ? ",x\n" : ",y\n");
    const std::string packed = gzip(text);
    QVERIFY(readCsv(openMemory(packed, ""), {}, ""));
    for (std::size_t length = 2; length < packed.size(); length += 7) {
        const auto rows = readCsv(openMemory(std::string_view(packed).substr(0, length), ""), {}, "");
        QVERIFY2(!rows, str("cut to ", length).c_str());
    }
    std::string flipped = packed;
    flipped[packed.size() / 2] = static_cast<char>(flipped[packed.size() / 2] ^ 0x10);
    const auto rows = readCsv(openMemory(flipped, ""), {}, "");
    QVERIFY(!rows);
}

void CsvLimitsTest::longTextsOfManyRowsTakeNoMemory()
{
    const long before = peakKilobytes();
    const std::string text(3000, 't');
    const auto rows =
        readCsv(endless("a,text,k\n", str("1,", text, ",x\n2,", text, ",y\n"), 300'000'000), {}, "texts.csv");
    QVERIFY(!rows);
    QVERIFY(rows.error().code == Code::InvalidArgument);
    QVERIFY2(peakKilobytes() - before < kAllowedKilobytes, str(peakKilobytes() - before, " kB").c_str());
}

QTEST_GUILESS_MAIN(CsvLimitsTest)
#include "csv_limits_test.moc"
