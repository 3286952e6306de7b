// Rows on disk: what is written is read back bit by bit, damage of any byte is found, and everything that is done with
// rows in memory gives the same on disk.
#include "engine/data/csv.h"
#include "engine/data/fit.h"
#include "engine/data/shard_writer.h"
#include "engine/data/standardize.h"
#include "engine/data/stored_rows.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <cstring>
#include <limits>

using namespace millrace;
using namespace millrace::data;

namespace {
constexpr std::size_t kColumns = 5;

/// Rows whose first feature is their number; some values of the second are missing.
Dataset someRows(std::int64_t count, pipeline::TargetKind target)
{
    Dataset rows;
    rows.schema.features = Shape{kColumns};
    rows.schema.rows = count;
    rows.schema.target = target;
    if (target == pipeline::TargetKind::Classes) rows.schema.classes = {"a", "b", "c"};
    Random random(7, streamOf("shards_test"));
    for (std::int64_t row = 0; row < count; ++row) {
        rows.features.push_back(static_cast<float>(row));
        rows.features.push_back(row % 11 == 3 ? std::nanf("") : static_cast<float>(random.normal()));
        for (std::size_t i = 2; i < kColumns; ++i) rows.features.push_back(static_cast<float>(random.normal()) * 10);
        if (target == pipeline::TargetKind::Classes) rows.labels.push_back(static_cast<std::int32_t>(random.below(3)));
        if (target == pipeline::TargetKind::Number) rows.targets.push_back(static_cast<float>(row) / 2);
    }
    rows.notes = {"a note"};
    return rows;
}

/// The same rows on disk, in blocks of a few rows and shards of a few blocks.
Dataset onDisk(const Dataset& rows, const QString& folder)
{
    const auto written = writeShards(rows, folder.toStdString(), {200, 3000}, {});
    if (!written) qFatal("%s", written.error().toString().c_str());
    auto opened = openShards(folder.toStdString(), 0);
    if (!opened) qFatal("%s", opened.error().toString().c_str());
    return std::move(*opened);
}

bool sameBits(const std::vector<float>& a, const std::vector<float>& b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

QByteArray fileBytes(const QString& path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}
void writeBytes(const QString& path, const QByteArray& bytes)
{
    QFile file(path);
    if (!file.open(QIODevice::WriteOnly | QIODevice::Truncate) || file.write(bytes) != bytes.size())
        qFatal("cannot write %s", qPrintable(path));
}

/// Reads every block; the first error, or an empty text.
std::string readAll(const std::string& path)
{
    const auto shards = ShardSet::open(path);
    if (!shards) return shards.error().toString();
    RowsBuffer buffer;
    for (std::int64_t block = 0; block < (*shards)->blocks(); ++block)
        if (const auto read = (*shards)->readBlock(block, buffer); !read) return read.error().toString();
    return {};
}
} // namespace

class ShardsTest : public QObject
{
    Q_OBJECT
private slots:
    void readsBackWhatWasWritten_data();
    void readsBackWhatWasWritten();
    void findsDamageOfAnyByte();
    void refusesWhatIsCutOffAnywhere();
    void saysThatTheDatasetChanged();
    void triesAFailedReadAgain();
    void replacesOnlyItsOwnFolders();
    void leavesNothingWhereItFails();
    void selectsOfASelection();
    void splitsAndScalesAsInMemory();
    void findsQuantilesExactly();
    void streamsACsvFileAsItReadsIt();

private:
    QTemporaryDir m_folder;
    QString path(const char* name) const { return m_folder.filePath(QString::fromLatin1(name)); }
};

void ShardsTest::readsBackWhatWasWritten_data()
{
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("target");
    for (const int rows : {1, 7, 8, 9, 1000})
        for (int target = 0; target < 3; ++target) QTest::addRow("%d rows, target %d", rows, target) << rows << target;
}

void ShardsTest::readsBackWhatWasWritten()
{
    QFETCH(int, rows);
    QFETCH(int, target);
    const Dataset original = someRows(rows, static_cast<pipeline::TargetKind>(target));
    const Dataset stored = onDisk(original, path("whole"));
    QVERIFY(stored.stored);
    QVERIFY(stored.features.empty());
    QCOMPARE(stored.rows(), original.rows());
    QVERIFY(stored.schema == original.schema);
    QCOMPARE(stored.notes, original.notes);
    const auto back = inMemory(stored);
    QVERIFY(back);
    QVERIFY(sameBits(back->features, original.features));
    QVERIFY(back->labels == original.labels);
    QVERIFY(sameBits(back->targets, original.targets));
    // small enough: in memory at once
    const auto small = openShards(path("whole").toStdString(), 1 << 20);
    QVERIFY(small && !small->stored);
    QVERIFY(sameBits(small->features, original.features));
}

void ShardsTest::findsDamageOfAnyByte()
{
    const Dataset stored = onDisk(someRows(20, pipeline::TargetKind::Classes), path("damaged"));
    const QString file = path("damaged/rows-00000.mrs");
    const QByteArray whole = fileBytes(file);
    QVERIFY(whole.size() > 400);
    QCOMPARE(readAll(file.toStdString()), std::string());
    for (int i = 0; i < whole.size(); ++i) {
        QByteArray bytes = whole;
        bytes[i] = static_cast<char>(bytes[i] ^ (1 << i % 8));
        writeBytes(file, bytes);
        QVERIFY2(!readAll(file.toStdString()).empty(), qPrintable(QStringLiteral("byte %1").arg(i)));
    }
}

void ShardsTest::refusesWhatIsCutOffAnywhere()
{
    onDisk(someRows(20, pipeline::TargetKind::Number), path("cut"));
    const QString file = path("cut/rows-00000.mrs");
    const QByteArray whole = fileBytes(file);
    for (int size = 0; size < whole.size(); ++size) {
        writeBytes(file, whole.left(size));
        QVERIFY(!readAll(file.toStdString()).empty());
    }
    writeBytes(file, whole + 'x');
    QVERIFY(!readAll(file.toStdString()).empty());
    writeBytes(path("cut/index.json"), "{\"format\":\"millrace-rows/1\",\"shards\":[\"../elsewhere.mrs\"]}");
    QVERIFY(readAll(path("cut").toStdString()).find("no file of its folder") != std::string::npos);
}

void ShardsTest::saysThatTheDatasetChanged()
{
    const Dataset stored = onDisk(someRows(100, pipeline::TargetKind::Classes), path("changed"));
    QVERIFY(QFile::resize(path("changed/rows-00000.mrs"), 300)); // cut off under an open reader: no signal, an error
    RowsBuffer buffer;
    std::string said;
    for (std::int64_t block = 0; block < stored.blocks(); ++block)
        if (const auto read = stored.block(block, buffer); !read) said = read.error().toString();
    QVERIFY2(said.find("dataset changed") != std::string::npos, said.c_str());
}

void ShardsTest::triesAFailedReadAgain()
{
    onDisk(someRows(100, pipeline::TargetKind::Classes), path("failing"));
    int failures = 0, reads = 0;
    const BeforeRead fail = [&](const std::string& file) -> Status {
        ++reads;
        if (failures-- > 0) return makeError(Code::Io, "Cannot read: Input/output error.").atFile(file);
        return {};
    };
    const auto shards = ShardSet::open(path("failing").toStdString(), fail);
    QVERIFY(shards);
    RowsBuffer buffer;
    failures = 2;
    QVERIFY((*shards)->readBlock(0, buffer));
    failures = 1000;
    reads = 0;
    const auto read = (*shards)->readBlock(0, buffer);
    QVERIFY(!read);
    QCOMPARE(read.error().code, Code::Io);
    QCOMPARE(reads, 3);
    QVERIFY(!read.error().subject.file.empty());
}

void ShardsTest::replacesOnlyItsOwnFolders()
{
    const Dataset rows = someRows(10, pipeline::TargetKind::Classes);
    QVERIFY(QDir().mkpath(path("mine")));
    writeBytes(path("mine/photo.png"), "precious");
    const auto refused = writeShards(rows, path("mine").toStdString(), {}, {});
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, Code::AlreadyExists);
    QCOMPARE(fileBytes(path("mine/photo.png")), QByteArray("precious"));
    onDisk(rows, path("again"));
    const Dataset other = onDisk(someRows(30, pipeline::TargetKind::Classes), path("again"));
    QCOMPARE(other.rows(), 30);
}

void ShardsTest::leavesNothingWhereItFails()
{
    std::stop_source stop;
    stop.request_stop();
    const Dataset rows = someRows(10, pipeline::TargetKind::Classes);
    const auto stopped = writeShards(rows, path("stopped/here").toStdString(), {}, stop.get_token());
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, Code::Cancelled);
    QVERIFY(QDir(path("stopped")).isEmpty());
}

void ShardsTest::selectsOfASelection()
{
    const Dataset rows = someRows(100, pipeline::TargetKind::Classes);
    const Dataset stored = onDisk(rows, path("selected"));
    std::vector<bool> odd, third;
    for (int i = 0; i < 100; ++i) odd.push_back(i % 2 == 1);
    for (int i = 0; i < 50; ++i) third.push_back(i % 3 == 0);
    const Dataset twice = select(select(stored, odd), third), expected = select(select(rows, odd), third);
    const auto got = inMemory(twice);
    QVERIFY(got);
    QCOMPARE(twice.rows(), 17);
    QVERIFY(sameBits(got->features, expected.features));
    QVERIFY(got->labels == expected.labels);
}

void ShardsTest::splitsAndScalesAsInMemory()
{
    const Dataset rows = someRows(1000, pipeline::TargetKind::Classes);
    const Dataset stored = onDisk(rows, path("split"));
    const auto parts = data::split(stored, {0.7, 3, true});
    QVERIFY(parts);
    QCOMPARE(parts->train.rows(), 700);
    QCOMPARE(parts->test.rows(), 300);
    const auto all = countClasses(rows), train = countClasses(parts->train), test = countClasses(parts->test);
    for (std::size_t i = 0; i < 3; ++i) {
        QCOMPARE((*train)[i] + (*test)[i], (*all)[i]);
        QVERIFY(std::abs(static_cast<double>((*train)[i]) - 0.7 * static_cast<double>((*all)[i])) < 1);
    }
    const auto again = data::split(stored, {0.7, 3, true}), other = data::split(stored, {0.7, 4, true});
    QVERIFY(again->train.stored->chosen() == parts->train.stored->chosen());
    QVERIFY(other->train.stored->chosen() != parts->train.stored->chosen());

    // the same training rows in memory give the same steps and the same values, bit by bit
    const auto trainMemory = inMemory(parts->train), testMemory = inMemory(parts->test);
    for (const ScaleMethod method : {ScaleMethod::Standard, ScaleMethod::MinMax, ScaleMethod::Robust}) {
        const auto disk = scaled(parts->train, &parts->test, method);
        const auto memory = scaled(*trainMemory, &*testMemory, method);
        QVERIFY(disk && memory);
        QVERIFY(disk->train.preprocessing == memory->train.preprocessing);
        const auto diskTest = inMemory(disk->test);
        QVERIFY(diskTest);
        QVERIFY(sameBits(diskTest->features, memory->test.features));
    }
}

void ShardsTest::findsQuantilesExactly()
{
    Dataset rows;
    rows.schema.features = Shape{2};
    rows.schema.rows = 7;
    const float lost = std::nanf("");
    rows.features = {-5, 1, 3, 1, -0.0F, 1, 1e30F, lost, 2, lost, -1e-30F, 2, 7, 2};
    const std::vector<std::size_t> columns{0, 1};
    const std::vector<double> fractions{0, 0.25, 0.5, 1};
    const auto quantiles = fitQuantiles(rows, columns, fractions);
    QVERIFY(quantiles);
    // sorted: -5 -1e-30 0 2 3 7 1e30, and 1 1 1 2 2
    QCOMPARE((*quantiles)[0][0], -5.0);
    QCOMPARE((*quantiles)[0][1], (static_cast<double>(-1e-30F) + 0) / 2);
    QCOMPARE((*quantiles)[0][2], 2.0);
    QCOMPARE((*quantiles)[0][3], static_cast<double>(1e30F));
    QCOMPARE((*quantiles)[1], (std::vector<double>{1, 1, 1, 2}));
    QCOMPARE(*countMissing(rows), (std::vector<std::int64_t>{0, 2}));
    QCOMPARE(*fitModes(rows, columns), (std::vector<float>{-5, 1}));
}

void ShardsTest::streamsACsvFileAsItReadsIt()
{
    std::string text = "a,b,colour,k\n";
    Random random(3, streamOf("csv"));
    for (int i = 0; i < 5000; ++i)
        text += str(i % 13 == 0 ? std::string() : str(random.normal()), ",", random.normal(), ",",
                    i % 3 == 0 ? "red" : "blue", ",", i % 7 == 0 ? "yes" : "no", "\n");
    const auto memory = readCsv(openMemory(text, "t.csv"), {}, "t.csv");
    const auto disk = readCsv(openMemory(text, "t.csv"), {}, "t.csv", {path("csv").toStdString(), 10000});
    QVERIFY2(disk, disk ? "" : disk.error().toString().c_str());
    QVERIFY(memory && !memory->stored && disk->stored);
    QVERIFY(disk->schema == memory->schema);
    QVERIFY(disk->preprocessing == memory->preprocessing);
    QCOMPARE(disk->notes, memory->notes);
    const auto back = inMemory(*disk);
    QVERIFY(back);
    QVERIFY(sameBits(back->features, memory->features));
    QVERIFY(back->labels == memory->labels);
}

QTEST_APPLESS_MAIN(ShardsTest)
#include "shards_test.moc"
