// Writers at the same time, writers killed at any moment, and a migration killed in its middle: nothing that was
// acknowledged is missing, and the file hangs together.
#include "kernels/base/text.h"
#include "storage/recovery.h"
#include "tests/storage/samples.h"

#include <QProcess>
#include <QRandomGenerator>
#include <QTemporaryDir>
#include <QtTest>

using namespace millrace;
using namespace millrace::storage;
using namespace millrace::storage::samples;

namespace {
constexpr int kWaitMs = 60'000;

class Writer : public QProcess
{
public:
    explicit Writer(const QStringList& arguments)
    {
        setProcessChannelMode(QProcess::SeparateChannels);
        start(QStringLiteral(STORAGE_WRITER), arguments);
    }
    bool succeeded() { return waitForFinished(kWaitMs) && exitStatus() == QProcess::NormalExit && exitCode() == 0; }
    void killNow()
    {
        kill();
        waitForFinished(kWaitMs);
    }
    /// The last seq that was printed whole.
    std::int64_t acknowledged()
    {
        const QList<QByteArray> lines = readAllStandardOutput().split('\n');
        return lines.size() < 2 ? 0 : lines[lines.size() - 2].toLongLong();
    }
};
} // namespace

class StorageCrashTest : public QObject
{
    Q_OBJECT

private slots:
    void init() { m_folder = std::make_unique<QTemporaryDir>(); }
    void twoProcessesWriteAtOnce();
    void aKilledWriterLosesNothingAcknowledged();
    void aKilledMigrationLeavesTheOldOrTheNew();
    void aFailedMigrationLeavesTheOld();

private:
    QString path() const { return m_folder->filePath(QStringLiteral("millrace.db")); }
    Result<TrackingDatabase> open() const { return TrackingDatabase::open(path().toStdString()); }

    std::unique_ptr<QTemporaryDir> m_folder;
};

void StorageCrashTest::twoProcessesWriteAtOnce()
{
    constexpr int kRounds = 100, kEvents = 5;
    for (int round = 0; round < kRounds; ++round) {
        // each opens, and in the first round creates, writes and checkpoints as it closes
        Writer a({QStringLiteral("write"), path(), QStringLiteral("a"), QString::number(kEvents)});
        Writer b({QStringLiteral("write"), path(), QStringLiteral("b"), QString::number(kEvents)});
        const bool both = a.succeeded() && b.succeeded();
        QVERIFY2(both, (a.readAllStandardError() + b.readAllStandardError()).constData());
    }
    auto database = open();
    QVERIFY(database.has_value());
    QVERIFY(database->verify());
    for (const char* run : {"a", "b"}) {
        QCOMPARE(database->run(run)->lastSeq, std::int64_t(kRounds * kEvents));
        QCOMPARE(database->series(run, "train.loss")->size(), std::size_t(kRounds * kEvents));
    }
}

void StorageCrashTest::aKilledWriterLosesNothingAcknowledged()
{
    std::int64_t acknowledged = 0;
    for (int round = 0; round < 30; ++round) {
        Writer writer({QStringLiteral("write"), path(), QStringLiteral("a"), QStringLiteral("1000000")});
        QVERIFY(writer.waitForStarted(kWaitMs));
        // also while it opens the file, which takes the first milliseconds
        QTest::qSleep(QRandomGenerator::global()->bounded(1, 300));
        writer.killNow();
        acknowledged = std::max(acknowledged, writer.acknowledged());
        auto database = open();
        QVERIFY2(database.has_value(), database ? "" : database.error().message.c_str());
        QVERIFY(database->verify());
        const auto run = database->run("a");
        if (!run && acknowledged == 0) continue;
        QVERIFY2(run->lastSeq >= acknowledged, str(run->lastSeq, " of ", acknowledged).c_str());
        QCOMPARE(database->series("a", "train.loss")->size(), static_cast<std::size_t>(run->lastSeq));
    }
    qInfo("%lld events acknowledged", static_cast<long long>(acknowledged));
    QVERIFY(acknowledged > 0);
}

void StorageCrashTest::aKilledMigrationLeavesTheOldOrTheNew()
{
    const auto versions = twoVersions();
    OpenOptions newer;
    newer.migrations = versions;
    int left = 0, arrived = 0;
    for (int round = 0; round < 20; ++round) {
        init();
        {
            auto database = open();
            QVERIFY(database.has_value());
            QVERIFY(database->createRun(newRun("a")));
            QVERIFY(database->ingest("a", std::vector{loss(1, 1, 1)}));
        }
        Writer writer({QStringLiteral("migrate"), path()});
        QVERIFY(writer.waitForReadyRead(kWaitMs));
        QTest::qSleep(QRandomGenerator::global()->bounded(0, 120));
        writer.killNow();

        {
            auto old = open();
            const bool isNew = !old && old.error().code == Code::NewerFormat;
            QVERIFY2(old || isNew, old ? "" : old.error().message.c_str());
            ++(isNew ? arrived : left);
            if (old) QCOMPARE(old->series("a", "train.loss")->size(), std::size_t(1));
        }
        {
            auto migrated = TrackingDatabase::open(path().toStdString(), Access::ReadWrite, newer);
            QVERIFY2(migrated.has_value(), migrated ? "" : migrated.error().message.c_str());
            QVERIFY(migrated->verify());
            QCOMPARE(migrated->series("a", "train.loss")->size(), std::size_t(1));
        }
        const auto backups = backupsOf(path().toStdString());
        QVERIFY(!backups.empty());
        auto backup = TrackingDatabase::open(backups.front(), Access::ReadOnly);
        QVERIFY2(backup.has_value(), backup ? "" : backup.error().message.c_str());
        QCOMPARE(backup->series("a", "train.loss")->size(), std::size_t(1));
        // what a killed backup had begun is gone
        const QStringList names = QDir(m_folder->filePath(QStringLiteral("backups"))).entryList(QDir::Files);
        for (const QString& name : names) QVERIFY2(!name.contains(QStringLiteral(".tmp-")), qPrintable(name));
    }
    qInfo("killed 20 migrations: %d were left at the old version, %d had arrived", left, arrived);
}

void StorageCrashTest::aFailedMigrationLeavesTheOld()
{
    {
        auto database = open();
        QVERIFY(database.has_value());
        QVERIFY(database->createRun(newRun("a")));
    }
    const std::array<Migration, 2> broken{
        schema().front(), Migration{2, "CREATE TABLE half(n INTEGER) STRICT; INSERT INTO nowhere VALUES(1);"}};
    OpenOptions options;
    options.migrations = broken;
    const auto refused = TrackingDatabase::open(path().toStdString(), Access::ReadWrite, options);
    QVERIFY(!refused);
    QVERIFY(refused.error().message.find("nowhere") != std::string::npos);
    auto database = open();
    QVERIFY2(database.has_value(), database ? "" : database.error().message.c_str());
    QVERIFY(database->run("a").has_value());
    QCOMPARE(backupsOf(path().toStdString()).size(), std::size_t(1));
}

QTEST_GUILESS_MAIN(StorageCrashTest)
#include "crash_test.moc"
