// Files of the document: open, save, autosave, recovery; what happens when the disk or somebody else gets in the way.
#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "ui/document/document_files.h"
#include "ui/document/text.h"

#include <QSignalSpy>
#include <QTemporaryDir>
#include <QtTest>
#include <csignal>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace millrace;
using namespace millrace::ui;

namespace {

const std::string kText = pipeline::toText(*pipeline::parseDocument(R"({"format": "millrace/1", "name": "Digits",
  "nodes": [{"id": "digits", "type": "data.builtin", "at": [0, 0]}], "links": []})"));

void write(const QString& path, const std::string& text)
{
    QVERIFY(durableReplace(path.toStdString(), text));
}

std::string read(const QString& path)
{
    auto text = readFile(path.toStdString(), 64u << 20);
    return text ? *text : std::string("(not there)");
}

// A window's worth: document and files with a home of their own.
struct Window
{
    explicit Window(const QString& home) : document(catalogue, nullptr), files(document, home)
    {
        files.setAutosaveDelay(10);
    }
    bool open(const QString& path)
    {
        QSignalSpy opened(&files, &DocumentFiles::opened);
        files.open(path);
        return opened.wait(5000);
    }
    void edit(double x)
    {
        QVERIFY(document.change(movement(document.pipeline(), {{"digits", {x, x}}}), QStringLiteral("Move")));
    }
    void settle() { QTRY_VERIFY(!files.isBusy()); }

    pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    PipelineDocument document;
    DocumentFiles files;
};

QStringList entries(const QString& home)
{
    return QDir(home + QStringLiteral("/autosave")).entryList({QStringLiteral("*.json")}, QDir::Files);
}

} // namespace

class FilesTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void opensAndSaves();
    void openingNonsenseKeepsWhatWasOpen_data();
    void openingNonsenseKeepsWhatWasOpen();
    void filesOverTheLimitAreRefused();
    void changedOnDiskIsNeverOverwrittenSilently();
    void changedOnDiskCanBeReloadedWithoutLoss();
    void newFileOfSomebodyElseIsNotOverwritten();
    void readOnlyFolderLeavesTheFileAlone();
    void fullDiskLeavesTheFileAlone();
    void autosaveIsNamedByContentAndGoesWithSaving();
    void crashedWindowIsRecovered();
    void livingWindowIsNotRecovered();
    void damagedAutosaveIsPassedOver();
    void unsavedWorkIsKeptWhenAnotherFileOpens();
    void unknownTypesAreSavedAsTheyStood();
    void newerFilesAreNotWritten();
    void recentFilesAreRemembered();

private:
    QString path(const char* name) const { return m_directory->filePath(QLatin1String(name)); }
    QString home() const { return path("home"); }
    std::unique_ptr<QTemporaryDir> m_directory;
};

void FilesTest::init()
{
    m_directory = std::make_unique<QTemporaryDir>();
    write(path("a.millrace"), kText);
}

void FilesTest::opensAndSaves()
{
    Window window(home());
    QVERIFY(window.open(path("a.millrace")));
    QCOMPARE(window.document.text(), kText);
    QVERIFY(!window.document.isModified());
    window.edit(40);
    QVERIFY(window.document.isModified());
    QSignalSpy saved(&window.files, &DocumentFiles::saved);
    window.files.save();
    QVERIFY(saved.wait());
    QVERIFY(!window.document.isModified());
    QCOMPARE(read(path("a.millrace")), window.document.text());
    // twice: the hash is that of the new content now
    window.edit(50);
    window.files.save();
    QVERIFY(saved.wait());
    window.files.saveAs(path("b.millrace"));
    QVERIFY(saved.wait());
    QCOMPARE(window.document.fileName(), QStringLiteral("b.millrace"));
    QCOMPARE(read(path("b.millrace")), read(path("a.millrace")));
}

void FilesTest::openingNonsenseKeepsWhatWasOpen_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::newRow("empty") << QByteArray();
    QTest::newRow("mark only") << QByteArray("\xEF\xBB\xBF");
    QTest::newRow("cut off") << QByteArray(kText.substr(0, 60).c_str());
    QTest::newRow("deep") << QByteArray(100000, '[');
    QTest::newRow("other file") << QByteArray("PK\x03\x04 not a pipeline");
}

void FilesTest::openingNonsenseKeepsWhatWasOpen()
{
    QFETCH(QByteArray, bytes);
    Window window(home());
    QVERIFY(window.open(path("a.millrace")));
    window.edit(7);
    write(path("bad.millrace"), bytes.toStdString());
    QSignalSpy failed(&window.files, &DocumentFiles::openFailed);
    window.files.open(path("bad.millrace"));
    QVERIFY(failed.wait());
    const auto error = failed[0][0].value<Error>();
    QVERIFY(!error.message.empty());
    QCOMPARE(error.subject.file, std::string("bad.millrace"));
    QCOMPARE(window.document.fileName(), QStringLiteral("a.millrace"));
    QVERIFY(window.document.isModified());
}

void FilesTest::filesOverTheLimitAreRefused()
{
    Window window(home());
    QFile big(path("big.millrace"));
    QVERIFY(big.open(QIODevice::WriteOnly) && big.resize(pipeline::Limits::kFileBytes + 1));
    QSignalSpy failed(&window.files, &DocumentFiles::openFailed);
    window.files.open(path("big.millrace"));
    QVERIFY(failed.wait());
    QCOMPARE(failed[0][0].value<Error>().code, Code::TooLarge);
}

void FilesTest::changedOnDiskIsNeverOverwrittenSilently()
{
    Window window(home());
    QVERIFY(window.open(path("a.millrace")));
    window.edit(40);
    write(path("a.millrace"), "somebody else's work");
    QSignalSpy conflict(&window.files, &DocumentFiles::changedOnDisk);
    QSignalSpy saved(&window.files, &DocumentFiles::saved);
    window.files.save();
    QVERIFY(conflict.wait());
    QCOMPARE(saved.count(), 0);
    QCOMPARE(read(path("a.millrace")), std::string("somebody else's work"));
    QVERIFY(window.document.isModified());
    window.files.overwrite();
    QVERIFY(saved.wait());
    QCOMPARE(read(path("a.millrace")), window.document.text());
    QVERIFY(!window.document.isModified());
}

void FilesTest::changedOnDiskCanBeReloadedWithoutLoss()
{
    Window window(home());
    QVERIFY(window.open(path("a.millrace")));
    window.edit(40);
    const std::string mine = window.document.text();
    std::string theirs = kText;
    theirs.replace(theirs.find("Digits"), 6, "Others");
    write(path("a.millrace"), theirs);
    QSignalSpy conflict(&window.files, &DocumentFiles::changedOnDisk);
    window.files.save();
    QVERIFY(conflict.wait());
    QSignalSpy kept(&window.files, &DocumentFiles::workKept);
    window.files.reload();
    QVERIFY(kept.wait());
    QCOMPARE(window.document.text(), theirs);
    QVERIFY(!window.document.isModified());
    window.files.recover(kept[0][0].value<Autosave>());
    QCOMPARE(window.document.text(), mine);
    QVERIFY(window.document.isModified());
    // what came back was made from the old file: saving it asks again
    window.files.save();
    QVERIFY(conflict.wait());
    QCOMPARE(read(path("a.millrace")), theirs);
}

void FilesTest::newFileOfSomebodyElseIsNotOverwritten()
{
    Window window(home());
    QVERIFY(window.open(path("a.millrace")));
    QVERIFY(QFile::remove(path("a.millrace")));
    window.edit(40);
    QSignalSpy saved(&window.files, &DocumentFiles::saved);
    window.files.save();
    QVERIFY(saved.wait()); // vanished: written again
    QCOMPARE(read(path("a.millrace")), window.document.text());
}

void FilesTest::readOnlyFolderLeavesTheFileAlone()
{
    Window window(home());
    QVERIFY(window.open(path("a.millrace")));
    window.edit(40);
    window.settle();
    const QByteArray folder = m_directory->path().toUtf8();
    QVERIFY(chmod(folder.constData(), 0555) == 0);
    // root may write everywhere, so it becomes nobody meanwhile
    const bool root = geteuid() == 0;
    QVERIFY(!root || seteuid(65534) == 0);
    QSignalSpy failed(&window.files, &DocumentFiles::saveFailed);
    window.files.save();
    const bool answered = failed.wait();
    QVERIFY(!root || seteuid(0) == 0);
    chmod(folder.constData(), 0700);
    QVERIFY(answered);
    QCOMPARE(failed[0][0].value<Error>().code, Code::Permission);
    QCOMPARE(read(path("a.millrace")), kText);
    QVERIFY(window.document.isModified());
}

void FilesTest::fullDiskLeavesTheFileAlone()
{
    // a limit on the size of files fails a write in the middle, as a full disk does
    std::string text = kText;
    text.replace(text.find("Digits"), 6, std::string(200000, 'x'));
    const auto big = pipeline::parseDocument(text);
    QVERIFY(big.has_value());
    Window window(home());
    QVERIFY(window.open(path("a.millrace")));
    window.edit(40);
    window.settle();
    QVERIFY(window.document.setName(QString(200000, QLatin1Char('x'))));
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    const rlimit small{65536, before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    QSignalSpy failed(&window.files, &DocumentFiles::saveFailed);
    window.files.save();
    const bool answered = failed.wait();
    setrlimit(RLIMIT_FSIZE, &before);
    QVERIFY(answered);
    QCOMPARE(read(path("a.millrace")), kText);
    QVERIFY(window.document.isModified());
    QCOMPARE(window.document.pipeline().name.size(), std::size_t(200000));
    QVERIFY(!failed[0][0].value<Error>().advice.empty());
    QCOMPARE(QDir(m_directory->path()).entryList(QDir::Files), QStringList{QStringLiteral("a.millrace")});
    // with room again it is saved
    QSignalSpy saved(&window.files, &DocumentFiles::saved);
    window.files.save();
    QVERIFY(saved.wait());
    QCOMPARE(read(path("a.millrace")), window.document.text());
}

void FilesTest::autosaveIsNamedByContentAndGoesWithSaving()
{
    Window window(home());
    window.files.start();
    QVERIFY(window.open(path("a.millrace")));
    window.edit(40);
    QTRY_COMPARE(entries(home()).size(), 1);
    const QString first = entries(home())[0];
    QCOMPARE(first, toQt(sha256(read(home() + QStringLiteral("/autosave/") + first))) + QStringLiteral(".json"));
    window.edit(50);
    QTRY_VERIFY(!entries(home()).contains(first));
    QTRY_COMPARE(entries(home()).size(), 1);
    QSignalSpy saved(&window.files, &DocumentFiles::saved);
    window.files.save();
    QVERIFY(saved.wait());
    QTRY_COMPARE(entries(home()).size(), 0);
}

void FilesTest::crashedWindowIsRecovered()
{
    std::string text;
    {
        Window window(home());
        window.files.start();
        QVERIFY(window.open(path("a.millrace")));
        window.edit(40);
        QTRY_COMPARE(entries(home()).size(), 1);
        text = window.document.text();
    } // its lock goes with it, as with a process that was killed
    Window next(home());
    QSignalSpy found(&next.files, &DocumentFiles::recoveryFound);
    next.files.start();
    QVERIFY(found.wait());
    const auto autosaves = found[0][0].value<std::vector<Autosave>>();
    QCOMPARE(autosaves.size(), std::size_t(1));
    next.files.recover(autosaves[0]);
    QCOMPARE(next.document.text(), text);
    QCOMPARE(next.document.fileName(), QStringLiteral("a.millrace"));
    QVERIFY(next.document.isModified());
    next.settle();
    QCOMPARE(entries(home()).size(), 1); // now the new window's
    QVERIFY(autosaves[0].entry != path("home").toStdString() + "/autosave/" + entries(home())[0].toStdString());
    QSignalSpy saved(&next.files, &DocumentFiles::saved);
    next.files.save();
    QVERIFY(saved.wait());
    QCOMPARE(read(path("a.millrace")), text);
    QTRY_COMPARE(entries(home()).size(), 0);
}

void FilesTest::livingWindowIsNotRecovered()
{
    Window first(home());
    first.files.start();
    QVERIFY(first.open(path("a.millrace")));
    first.edit(40);
    QTRY_COMPARE(entries(home()).size(), 1);
    Window second(home());
    QSignalSpy found(&second.files, &DocumentFiles::recoveryFound);
    second.files.start();
    second.settle();
    QCOMPARE(found.count(), 0);
    QCOMPARE(entries(home()).size(), 1);
}

void FilesTest::damagedAutosaveIsPassedOver()
{
    {
        Window window(home());
        window.files.start();
        QVERIFY(window.open(path("a.millrace")));
        window.edit(40);
        QTRY_COMPARE(entries(home()).size(), 1);
    }
    const QString entry = home() + QStringLiteral("/autosave/") + entries(home())[0];
    std::string bytes = read(entry);
    bytes[bytes.size() / 2] ^= 1;
    write(entry, bytes);
    Window next(home());
    QSignalSpy found(&next.files, &DocumentFiles::recoveryFound);
    next.files.start();
    next.settle();
    QCOMPARE(found.count(), 0);
    QVERIFY(QFile::exists(entry));
}

void FilesTest::unsavedWorkIsKeptWhenAnotherFileOpens()
{
    write(path("b.millrace"), kText);
    Window window(home());
    window.files.start();
    QVERIFY(window.open(path("a.millrace")));
    window.edit(40);
    const std::string mine = window.document.text();
    QSignalSpy kept(&window.files, &DocumentFiles::workKept);
    QVERIFY(window.open(path("b.millrace")));
    QVERIFY(kept.count() == 1 || kept.wait());
    window.settle();
    QCOMPARE(entries(home()).size(), 1);
    window.files.recover(kept[0][0].value<Autosave>());
    QCOMPARE(window.document.text(), mine);
    window.files.newPipeline();
    QVERIFY(kept.wait());
    QVERIFY(window.document.filePath().isEmpty());
    window.files.discard(kept[1][0].value<Autosave>());
    window.settle();
    QCOMPARE(entries(home()).size(), 0);
    QSignalSpy wanted(&window.files, &DocumentFiles::saveAsWanted);
    window.files.save();
    QCOMPARE(wanted.count(), 1);
}

void FilesTest::unknownTypesAreSavedAsTheyStood()
{
    const std::string strange =
        R"({"id": "magic", "type": "plugin.thing", "at": [0, 200], "params": {"depth": 3, "über": [1.5, {"b": null, "a": ""}]}, "spin": "left"})";
    const std::string text = R"({
  "format": "millrace/1",
  "name": "Digits",
  "nodes": [
    {"id": "digits", "type": "data.builtin", "at": [0, 0], "params": {"name": "digits", "later": true}},
    )" + strange + R"(
  ],
  "links": [],
  "colour": "blue"
}
)";
    write(path("a.millrace"), text);
    Window window(home());
    QVERIFY(window.open(path("a.millrace")));
    QVERIFY(!window.document.isReadOnly());
    window.edit(40);
    QSignalSpy saved(&window.files, &DocumentFiles::saved);
    window.files.save();
    QVERIFY(saved.wait());
    std::string expected = text;
    expected.replace(expected.find("[0, 0]"), 6, "[40, 40]");
    QCOMPARE(QString::fromStdString(read(path("a.millrace"))), QString::fromStdString(expected));
}

void FilesTest::newerFilesAreNotWritten()
{
    const std::string newer = "{\"format\":\"millrace/9\",   \"name\":\"x\",\"nodes\":[],\"links\":[]}";
    write(path("newer.millrace"), newer);
    Window window(home());
    QVERIFY(window.open(path("newer.millrace")));
    QVERIFY(window.document.isReadOnly());
    QSignalSpy failed(&window.files, &DocumentFiles::saveFailed);
    window.files.save();
    QCOMPARE(failed.count(), 1);
    QSignalSpy saved(&window.files, &DocumentFiles::saved);
    window.files.saveAs(path("copy.millrace")); // a copy is the same bytes
    QVERIFY(saved.wait());
    QCOMPARE(read(path("copy.millrace")), newer);
    QCOMPARE(read(path("newer.millrace")), newer);
}

void FilesTest::recentFilesAreRemembered()
{
    {
        Window window(home());
        for (int i = 0; i < 12; ++i) {
            const QString file = m_directory->filePath(QStringLiteral("p%1.millrace").arg(i));
            write(file, kText);
            QVERIFY(window.open(file));
        }
        QVERIFY(window.open(path("p5.millrace")));
        window.settle();
    }
    Window next(home());
    QSignalSpy changed(&next.files, &DocumentFiles::recentChanged);
    next.files.start();
    QVERIFY(changed.wait());
    QCOMPARE(next.files.recentFiles().size(), DocumentFiles::kRecentFiles);
    QVERIFY(next.files.recentFiles()[0].endsWith(QLatin1String("p5.millrace")));
    QVERIFY(next.files.recentFiles()[1].endsWith(QLatin1String("p11.millrace")));
}

QTEST_GUILESS_MAIN(FilesTest)
#include "files_test.moc"
