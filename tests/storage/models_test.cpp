// Model versions are their bytes; references name, name:3 and name@alias find them.
#include "tests/storage/samples.h"

#include <QTemporaryDir>
#include <QtTest>

using namespace millrace;
using namespace millrace::storage;
using namespace millrace::storage::samples;

class StorageModelsTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void theSameBytesAreOneVersion();
    void referencesAreResolved_data();
    void referencesAreResolved();
    void theNewestAliasWins();
    void aRunWithARegisteredModelIsNotDeleted();
    void aDeletedVersionsNumberIsNotGivenAgain();
    void namesThatReadAsReferencesAreRefused();

private:
    std::unique_ptr<QTemporaryDir> m_folder;
    std::optional<TrackingDatabase> m_database;
};

void StorageModelsTest::init()
{
    m_database.reset();
    m_folder = std::make_unique<QTemporaryDir>();
    auto opened = TrackingDatabase::open(m_folder->filePath(QStringLiteral("millrace.db")).toStdString());
    QVERIFY(opened.has_value());
    m_database.emplace(std::move(*opened));
    QVERIFY(m_database->createRun(newRun("a", "/home/runs/a")).has_value());
    QVERIFY(m_database->createRun(newRun("b", "/home/runs/b")).has_value());
    QVERIFY(m_database->ingest("a", std::vector{model(1, "digits", "aa"), model(2, "digits", "bb", "best")}));
    QVERIFY(m_database->ingest("b", std::vector{model(1, "digits", "cc"), model(2, "faces", "dd")}));
}

void StorageModelsTest::theSameBytesAreOneVersion()
{
    QVERIFY(m_database->ingest("b", std::vector{model(3, "digits", "aa")})); // trained again to the same bits
    const auto versions = m_database->modelVersions("digits");
    QCOMPARE(versions->size(), std::size_t(3));
    QCOMPARE(versions->back().run, std::string("a"));
    const auto registered = m_database->registerModel(versions->at(1));
    QVERIFY(registered.has_value());
    QCOMPARE(registered->version, std::int64_t(2));
    QCOMPARE(m_database->modelVersions("digits")->size(), std::size_t(3));
    QCOMPARE(versions->back().path, std::string("/home/runs/a/artifacts/model.safetensors"));
    QCOMPARE(versions->back().classes, (std::vector<std::string>{"cat", "dog"}));
    QCOMPARE(versions->back().metrics.at("test.accuracy"), 0.9);
}

void StorageModelsTest::referencesAreResolved_data()
{
    QTest::addColumn<QString>("reference");
    QTest::addColumn<QString>("expected"); // the bytes' hash, or a part of the error
    const auto row = [](const char* reference, const char* expected) {
        QTest::newRow(reference) << QString::fromUtf8(reference) << QString::fromUtf8(expected);
    };
    row("digits", "cc");
    row("digits:1", "aa");
    row("digits:2", "bb");
    row("digits@best", "bb");
    row("faces:1", "dd");
    row("digit", "There is no model \"digit\". Did you mean digits?");
    row("digits:4", "has no version 4; the newest is 3");
    row("digits:0", "has no version 0");
    row("digits:-1", "has no version -1");
    row("digits:two", "names no version");
    row("digits:", "names no version");
    row("digits@bets", "has no alias \"bets\". Did you mean best?");
    row("digits@", "has no alias \"\"");
    row("", "There is no model \"\"");
    row("@best", "There is no model \"\"");
}

void StorageModelsTest::referencesAreResolved()
{
    QFETCH(QString, reference);
    QFETCH(QString, expected);
    const auto version = m_database->resolveModel(reference.toStdString());
    const QString answer =
        QString::fromStdString(version ? version->sha256 : version.error().message + " " + version.error().advice);
    QVERIFY2(version ? answer == expected : answer.contains(expected), qPrintable(answer));
}

void StorageModelsTest::theNewestAliasWins()
{
    QVERIFY(m_database->setAlias("digits", "best", 3));
    QCOMPARE(m_database->resolveModel("digits@best")->version, std::int64_t(3));
    // an older event that is read again, as after a rebuild, does not move it back
    QVERIFY(m_database->forgetEvents("a"));
    QVERIFY(m_database->ingest("a", std::vector{model(1, "digits", "aa"), model(2, "digits", "bb", "best")}));
    QCOMPARE(m_database->resolveModel("digits@best")->version, std::int64_t(3));
    QVERIFY(m_database->removeAlias("digits", "best"));
    QVERIFY(!m_database->removeAlias("digits", "best"));
    const auto missing = m_database->setAlias("digits", "best", 9);
    QVERIFY(!missing);
    QCOMPARE(missing.error().code, Code::NotFound);
}

void StorageModelsTest::aRunWithARegisteredModelIsNotDeleted()
{
    const auto refused = m_database->deleteRun("b");
    QVERIFY(!refused);
    QCOMPARE(refused.error().code, Code::InvalidArgument);
    QVERIFY(m_database->run("b").has_value());
    QVERIFY(m_database->deleteModelVersion("digits", 3));
    QVERIFY(m_database->deleteModelVersion("faces", 1));
    QVERIFY(m_database->deleteRun("b"));
    QCOMPARE(m_database->modelVersions("digits")->size(), std::size_t(2));
    QVERIFY(!m_database->resolveModel("faces"));
}

void StorageModelsTest::aDeletedVersionsNumberIsNotGivenAgain()
{
    QVERIFY(m_database->deleteModelVersion("digits", 3));
    QVERIFY(!m_database->deleteModelVersion("digits", 3));
    QVERIFY(m_database->ingest("a", std::vector{model(3, "digits", "ee")}));
    QCOMPARE(m_database->resolveModel("digits")->version, std::int64_t(4));
    QVERIFY(m_database->deleteModelVersion("digits", 2));
    QVERIFY(!m_database->resolveModel("digits@best"));
}

void StorageModelsTest::namesThatReadAsReferencesAreRefused()
{
    for (const char* name : {"", "a:1", "a@b"}) {
        ModelVersion version = *m_database->resolveModel("digits");
        version.model = name;
        const auto registered = m_database->registerModel(version);
        QVERIFY(!registered);
        QCOMPARE(registered.error().code, Code::InvalidArgument);
    }
}

QTEST_GUILESS_MAIN(StorageModelsTest)
#include "models_test.moc"
