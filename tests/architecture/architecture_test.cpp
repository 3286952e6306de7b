// The table of modules as a test: the real tree keeps it, and small trees that break one rule each are caught.

#include "architecture.h"

#include <QTemporaryDir>
#include <QtTest>

#include <fstream>

using namespace millrace::architecture;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = MILLRACE_SOURCE_DIR;
const fs::path kTable = fs::path(MILLRACE_TEST_DATA) / "modules.txt";

void write(const fs::path& file, const std::string& text)
{
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

QString listed(const std::vector<std::string>& lines)
{
    QString result;
    for (const auto& line : lines) result += QString::fromStdString(line) + QLatin1Char('\n');
    return result;
}

} // namespace

class ArchitectureTest : public QObject
{
    Q_OBJECT

private slots:
    void theTableIsSound();
    void theTreeKeepsTheTable();
    void mainsAreShort();
    void breachIsFound_data();
    void breachIsFound();
    void circleCannotBeWrittenDown();
};

void ArchitectureTest::theTableIsSound()
{
    const Rules rules = readRules(kTable);
    QCOMPARE(listed(rules.problems), QString());
    QVERIFY(rules.named("storage") && rules.named("ui"));
    QVERIFY(rules.named("run")->allowed.contains("base"));
    QVERIFY(!rules.named("ui")->allowed.contains("storage"));
    QVERIFY(!rules.named("desktop")->allowed.contains("train"));
    for (const char* window : {"desktop", "ui", "ui_bridge"}) // CUDA is loaded by execute, which only the runner has
        QVERIFY(!rules.named(window)->allowed.contains("execute"));
}

void ArchitectureTest::theTreeKeepsTheTable()
{
    QVERIFY(fs::exists(kRoot / "kernels/base/result.h"));
    const QString found = listed(breaches(kRoot, readRules(kTable)));
    QVERIFY2(found.isEmpty(), qPrintable(QStringLiteral("\n") + found));
}

void ArchitectureTest::mainsAreShort()
{
    for (const auto& entry : fs::directory_iterator(kRoot / "app")) {
        const std::string name = entry.path().filename();
        if (!name.ends_with("_main.cpp")) continue;
        std::ifstream stream(entry.path());
        const auto count = std::count(std::istreambuf_iterator<char>(stream), {}, '\n');
        QVERIFY2(count < 100, qPrintable(QString::fromStdString(name + " has " + std::to_string(count) + " lines")));
    }
}

void ArchitectureTest::breachIsFound_data()
{
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("expected"); // the beginning of the one breach; empty where there is none

    const auto row = [](const char* name, const char* file, const char* text, const char* expected) {
        QTest::newRow(name) << QString::fromUtf8(file) << QString::fromUtf8(text) << QString::fromUtf8(expected);
    };
    row("storage may not include ui", "storage/database.cpp", "// a\n#include \"ui/theme/theme.h\"\n",
        "storage/database.cpp:2: includes ui/theme/theme.h; storage may not use ui, only base, graph, pipeline, "
        "protocol, storage\n");
    row("spaces in the directive", "storage/database.cpp", "  #  include  \"ui/theme/theme.h\"\n",
        "storage/database.cpp:1: includes ui/theme/theme.h");
    row("storage may include what is below", "storage/database.cpp",
        "#include \"engine/pipeline/document.h\"\n#include \"kernels/base/result.h\"\n#include <vector>\n", "");
    row("storage and cluster do not know each other", "cluster/target.h", "#include \"storage/records.h\"\n",
        "cluster/target.h:1: includes storage/records.h; cluster may not use storage");
    row("the base uses nothing", "kernels/base/text.cpp", "#include \"kernels/ops/dense.h\"\n",
        "kernels/base/text.cpp:1: includes kernels/ops/dense.h; base may not use kernels");
    row("pages reach storage through the bridge alone", "ui/runs/page.cpp", "#include \"storage/records.h\"\n",
        "ui/runs/page.cpp:1: includes storage/records.h; ui may not use storage");
    row("the bridge may call storage", "ui/bridge/tracking.cpp",
        "#include \"storage/records.h\"\n#include <QObject>\n#include \"tracking.moc\"\n", "");
    row("the window knows no trainer", "app/desktop_main.cpp", "#include \"engine/train/evaluator.h\"\n",
        "app/desktop_main.cpp:1: includes engine/train/evaluator.h; desktop may not use train");
    row("no Qt below ui", "engine/run/runner.h", "#include <QString>\n",
        "engine/run/runner.h:1: names QString; Qt is known only in app/desktop, app/wiring, ui/\n");
    row("no Qt in the runner", "app/runner_main.cpp", "#include <QtCore/QCoreApplication>\n",
        "app/runner_main.cpp:1: names QtCore/QCoreApplication; Qt is known only in");
    row("one copy of SQLite", "ui/bridge/tracking.cpp", "#include <QSqlDatabase>\n",
        "ui/bridge/tracking.cpp:1: names QSqlDatabase; QtSql is known nowhere\n");
    row("no CUDA in the trainer", "engine/train/step.cpp", "#include <cuda_runtime.h>\n",
        "engine/train/step.cpp:1: names cuda_runtime.h; CUDA is known only in engine/collective/, kernels/cuda/, tests/collective/, tests/cuda/\n");
    row("CUDA in its kernels", "kernels/cuda/dense.cu", "#include <cublasLt.h>\n", "");
    row("includes begin at the root", "storage/database.cpp", "#include \"records.h\"\n",
        "storage/database.cpp:1: includes records.h, which is in no module");
    row("every folder is in the table", "engine/extra/x.cpp", "", "engine/extra/x.cpp:1: belongs to no module");
    row("a library's USES", "storage/CMakeLists.txt",
        "millrace_library(NAME storage SOURCES a.cpp\n  USES ui) # a remark\nmillrace_library(NAME ui SOURCES b.cpp)\n",
        "storage/CMakeLists.txt:2: library storage uses ui; storage may not use ui");
    row("a library that is part of a module", "storage/CMakeLists.txt",
        "millrace_library(NAME rows SOURCES a.cpp)\nmillrace_library(NAME base SOURCES a.cpp USES rows)\n",
        "storage/CMakeLists.txt:2: library base uses rows; base may not use storage");
    row("a library that nobody makes", "storage/CMakeLists.txt", "millrace_library(NAME storage USES protocoll)\n",
        "storage/CMakeLists.txt:1: library storage uses protocoll, which no millrace_library makes");
    row("a library's links", "engine/run/CMakeLists.txt", "millrace_library(NAME run SOURCES a.cpp LINKS Qt6::Core)\n",
        "engine/run/CMakeLists.txt:1: names Qt6::Core; Qt is known only in");
}

void ArchitectureTest::breachIsFound()
{
    QFETCH(QString, file);
    QFETCH(QString, text);
    QFETCH(QString, expected);
    QTemporaryDir folder;
    const fs::path root = folder.path().toStdString();
    write(root / file.toStdString(), text.toStdString());

    const auto found = breaches(root, readRules(kTable));
    QVERIFY2(found.size() == (expected.isEmpty() ? 0 : 1), qPrintable(listed(found)));
    QVERIFY2(expected.isEmpty() || listed(found).startsWith(expected), qPrintable(listed(found)));
}

void ArchitectureTest::circleCannotBeWrittenDown()
{
    QTemporaryDir folder;
    const fs::path table = fs::path(folder.path().toStdString()) / "modules.txt";
    write(table, "[modules]\nlower | lower/ | upper\nupper | upper/ | lower\n");
    QCOMPARE(listed(readRules(table).problems),
             QStringLiteral("line 2: lower names upper, which does not stand above it\n"));
}

QTEST_GUILESS_MAIN(ArchitectureTest)
#include "architecture_test.moc"
