// Files that are damaged, another program's or a newer Millrace's: refused in words, untouched, and replaced.
#include "kernels/base/files.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "storage/recovery.h"
#include "storage/run_follower.h"
#include "tests/storage/samples.h"

#include <QTemporaryDir>
#include <QtTest>
#include <functional>

using namespace millrace;
using namespace millrace::storage;
using namespace millrace::storage::samples;

namespace {
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kUserVersionAt = 60, kApplicationIdAt = 68; // in SQLite's header, big-endian
constexpr std::int64_t kSteps = 500;

using Damage = std::function<void(std::string&)>;

void writeInteger(std::string& bytes, std::size_t at, std::uint32_t value)
{
    for (std::size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> (24 - 8 * i));
}

void flipBits(std::string& bytes)
{
    Random random(7, 0);
    for (std::size_t at = kPageBytes; at < bytes.size(); ++at)
        if (random.uniform() < 0.01) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
}
} // namespace

Q_DECLARE_METATYPE(Damage)

class StorageDamageTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void aDamagedFileIsRefusedAndRebuilt_data();
    void aDamagedFileIsRefusedAndRebuilt();
    void aDamagedBackupReplacesNothing();
    void nothingIsPutAsideWhileSomebodyWrites();
    void aNewerVersionOpensForReadingOnly();
    void sevenBackupsAreKept();

private:
    std::string path() const { return m_home.database(); }
    std::string bytes() const { return *readFile(path(), 1u << 28); }
    void overwrite(const std::string& content) const;
    void pollUntilRead(TrackingDatabase& database) const;

    std::unique_ptr<QTemporaryDir> m_folder;
    protocol::Home m_home;
    std::string m_run = "20251121-030712-482-9f3ac2";
};

/// A home with one finished run, its database filled by a follower, one alias set by hand, and a backup.
void StorageDamageTest::init()
{
    m_folder = std::make_unique<QTemporaryDir>();
    m_home = protocol::Home{m_folder->path().toStdString()};
    QVERIFY(m_home.create());
    const auto folder = m_home.run(m_run);
    QVERIFY(makeDirectories(folder->path));
    protocol::Job job;
    job.run = m_run;
    job.name = "brisk-heron";
    job.pipelineText = kPipeline;
    QVERIFY(durableReplace(folder->job(), protocol::toText(job)));
    auto writer = protocol::JournalWriter::open(folder->journal());
    QVERIFY(writer.has_value());
    QVERIFY(writer->append("state", {{"state", "running"}}));
    for (std::int64_t step = 1; step <= kSteps; ++step)
        QVERIFY(writer->append("metric", loss(0, step, 1.0 / static_cast<double>(step)).fields));
    QVERIFY(writer->append("artifact", model(0, "digits", "aa").fields));
    QVERIFY(writer->append("state", {{"state", "finished"}}));

    auto database = TrackingDatabase::open(path());
    QVERIFY(database.has_value());
    pollUntilRead(*database);
    QVERIFY(database->setAlias("digits", "mine", 1));
    QVERIFY(database->backUp().has_value());
}

void StorageDamageTest::overwrite(const std::string& content) const
{
    QVERIFY(durableReplace(path(), content));
}

void StorageDamageTest::pollUntilRead(TrackingDatabase& database) const
{
    RunFollower follower(m_home, database);
    for (bool more = true; more;) {
        const auto polled = follower.poll();
        QVERIFY2(polled.has_value(), polled ? "" : polled.error().message.c_str());
        QVERIFY(polled->problems.empty());
        more = polled->more;
    }
    const auto run = database.run(m_run);
    QVERIFY(run.has_value());
    QCOMPARE(run->state, protocol::RunState::Finished);
    QCOMPARE(run->name, std::string("brisk-heron"));
    QCOMPARE(database.series(m_run, "train.loss")->size(), static_cast<std::size_t>(kSteps));
    QCOMPARE(database.resolveModel("digits")->run, m_run);
}

void StorageDamageTest::aDamagedFileIsRefusedAndRebuilt_data()
{
    QTest::addColumn<Damage>("damage");
    const auto row = [](const char* name, Damage damage) { QTest::newRow(name) << std::move(damage); };
    row("one bit in a hundred bytes flipped", flipBits);
    row("truncated to half", [](std::string& bytes) { bytes.resize(bytes.size() / 2 / kPageBytes * kPageBytes); });
    row("truncated within a page", [](std::string& bytes) { bytes.resize(bytes.size() - kPageBytes - 100); });
    row("truncated within the header", [](std::string& bytes) { bytes.resize(50); });
    row("empty", [](std::string& bytes) { bytes.clear(); });
    row("first page zeroed", [](std::string& bytes) { bytes.replace(0, kPageBytes, kPageBytes, '\0'); });
    row("a page zeroed", [](std::string& bytes) { bytes.replace(3 * kPageBytes, kPageBytes, kPageBytes, '\0'); });
    row("last page zeroed",
        [](std::string& bytes) { bytes.replace(bytes.size() - kPageBytes, kPageBytes, kPageBytes, '\0'); });
    row("another application's header", [](std::string& bytes) { writeInteger(bytes, kApplicationIdAt, 0x46AE3C00); });
    row("no application's header", [](std::string& bytes) { writeInteger(bytes, kApplicationIdAt, 0); });
    row("a text file", [](std::string& bytes) { bytes = std::string(5000, 'x'); });
}

void StorageDamageTest::aDamagedFileIsRefusedAndRebuilt()
{
    QFETCH(Damage, damage);
    std::string content = bytes();
    damage(content);
    overwrite(content);
    const auto backups = backupsOf(path());
    QCOMPARE(backups.size(), std::size_t(1));
    for (const Access access : {Access::ReadWrite, Access::ReadOnly}) {
        const auto refused = TrackingDatabase::open(path(), access);
        QVERIFY(!refused);
        const std::string said = str(refused.error().message, " ", refused.error().advice);
        QVERIFY2(refused.error().code == Code::Corrupt, said.c_str());
        QVERIFY2(said.find(path()) != std::string::npos, said.c_str());
        QVERIFY2(said.find(backups.front()) != std::string::npos, said.c_str());
        QVERIFY2(bytes() == content, "the file was changed");
    }

    // with nothing in its place all comes from the journals, but what was set by hand
    const auto aside = putAside(path());
    QVERIFY(aside.has_value());
    QVERIFY(*readFile(*aside, 1u << 28) == content);
    {
        auto database = TrackingDatabase::open(path());
        QVERIFY2(database.has_value(), database ? "" : database.error().message.c_str());
        pollUntilRead(*database);
        QVERIFY(!database->resolveModel("digits@mine"));
    }
    // the backup brings that too
    QVERIFY(putAside(path(), backups.front()).has_value());
    auto database = TrackingDatabase::open(path());
    QVERIFY(database.has_value());
    pollUntilRead(*database);
    QVERIFY(database->resolveModel("digits@mine").has_value());
}

void StorageDamageTest::aDamagedBackupReplacesNothing()
{
    const auto backups = backupsOf(path());
    std::string content = *readFile(backups.front(), 1u << 28);
    flipBits(content);
    QVERIFY(durableReplace(backups.front(), content));
    const std::string before = bytes();
    const auto refused = putAside(path(), backups.front());
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, Code::Corrupt);
    QVERIFY(bytes() == before);
    QVERIFY(TrackingDatabase::open(path()).has_value());
}

void StorageDamageTest::nothingIsPutAsideWhileSomebodyWrites()
{
    const auto writing = FileLock::tryAcquire(path() + ".lock");
    QVERIFY(writing.has_value());
    const auto refused = putAside(path());
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, Code::Busy);
    QVERIFY(exists(path()));
}

void StorageDamageTest::aNewerVersionOpensForReadingOnly()
{
    std::string content = bytes();
    writeInteger(content, kUserVersionAt, 9);
    overwrite(content);
    const auto refused = TrackingDatabase::open(path());
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, Code::NewerFormat);
    QVERIFY2(refused.error().message.find("version 9") != std::string::npos, refused.error().message.c_str());
    QVERIFY(bytes() == content);
    auto reading = TrackingDatabase::open(path(), Access::ReadOnly);
    QVERIFY2(reading.has_value(), reading ? "" : reading.error().message.c_str());
    QCOMPARE(reading->series(m_run, "train.loss")->size(), static_cast<std::size_t>(kSteps));
    const auto written = reading->setExperiment(m_run, "other");
    QVERIFY(!written);
    QCOMPARE(written.error().code, Code::Permission);
    QVERIFY(bytes() == content);
}

void StorageDamageTest::sevenBackupsAreKept()
{
    const std::string folder = m_home.path + "/backups";
    for (int day = 1; day <= 9; ++day)
        QVERIFY(durableReplace(str(folder, "/millrace-2020010", day, "-000000-v1.db"), "old"));
    QVERIFY(durableReplace(folder + "/mine.db", "not ours"));
    auto database = TrackingDatabase::open(path());
    QVERIFY(database->backUp().has_value());
    const auto backups = backupsOf(path());
    QCOMPARE(backups.size(), std::size_t(7));
    QVERIFY(backups.front() > backups.back());
    QVERIFY(exists(folder + "/mine.db"));
    QVERIFY(database->backUpDaily());
    QCOMPARE(backupsOf(path()), backups); // the last one is fresh
}

QTEST_GUILESS_MAIN(StorageDamageTest)
#include "damage_test.moc"
