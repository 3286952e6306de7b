// Splits, standardising, encoding as at training, and the paths of a pipeline file (row A6 of the catalogue of faults).
#include "engine/data/csv.h"
#include "engine/data/encode.h"
#include "engine/data/path_reference.h"
#include "engine/protocol/resources.h"
#include "engine/data/standardize.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QFile>
#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <set>

using namespace millrace;
using namespace millrace::data;

namespace {
/// Rows with one feature, their index, of as many classes as there are counts.
Dataset classRows(const std::vector<int>& counts)
{
    Dataset rows;
    rows.schema.features = Shape{1};
    rows.schema.target = pipeline::TargetKind::Classes;
    for (std::size_t label = 0; label < counts.size(); ++label) {
        rows.schema.classes.push_back(str("class ", label));
        for (int i = 0; i < counts[label]; ++i) {
            rows.features.push_back(static_cast<float>(rows.features.size()));
            rows.labels.push_back(static_cast<std::int32_t>(label));
        }
    }
    rows.schema.rows = rows.rows();
    return rows;
}

std::vector<int> countsOf(const Dataset& rows)
{
    std::vector<int> counts(rows.schema.classes.size());
    for (const std::int32_t label : rows.labels) ++counts[static_cast<std::size_t>(label)];
    return counts;
}

Dataset table(std::vector<float> features, std::int64_t columns)
{
    Dataset rows;
    rows.schema.features = Shape{columns};
    rows.schema.target = pipeline::TargetKind::Number;
    rows.features = std::move(features);
    rows.schema.rows = rows.rows();
    rows.targets.assign(static_cast<std::size_t>(rows.schema.rows), 1.0F);
    return rows;
}
} // namespace

class RowsTest : public QObject
{
    Q_OBJECT

private slots:
    void splitIsExactAndComplete_data();
    void splitIsExactAndComplete();
    void splitKeepsTheClassesShares();
    void splitRepeatsAndFollowsTheSeed();
    void splitRefusesTooFewRows();
    void standardizeFitsOnTrainingRowsAlone();
    void standardizeScalesImagesAsAWhole();
    void standardizeRefusesRowsOfAnotherSource();
    void rowsAreEncodedAsAtTraining();
    void encodingNamesTheColumn_data();
    void encodingNamesTheColumn();
    void damagedPreprocessingIsRefused_data();
    void damagedPreprocessingIsRefused();
    void pathsAreResolvedAndFlagged_data();
    void pathsAreResolvedAndFlagged();
    void externalReferencesAreFound();
    void resourcesAreFound();
};

void RowsTest::splitIsExactAndComplete_data()
{
    QTest::addColumn<QList<int>>("counts");
    QTest::addColumn<double>("fraction");
    QTest::addColumn<int>("train");
    QTest::newRow("even") << QList<int>{50, 50} << 0.8 << 80;
    QTest::newRow("digits") << QList<int>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180} << 0.8 << 1438;
    QTest::newRow("skewed") << QList<int>{97, 2, 1} << 0.7 << 70;
    QTest::newRow("tiny") << QList<int>{1, 1} << 0.99 << 1;
    QTest::newRow("mostly test") << QList<int>{5, 5} << 0.01 << 1;
    QTest::newRow("thirds") << QList<int>{1, 1, 1, 1, 1, 1, 1} << 0.5 << 4;
}

void RowsTest::splitIsExactAndComplete()
{
    QFETCH(QList<int>, counts);
    QFETCH(double, fraction);
    QFETCH(int, train);
    const Dataset rows = classRows({counts.begin(), counts.end()});
    for (const bool stratify : {true, false}) {
        const auto parts = split(rows, {fraction, 7, stratify});
        QVERIFY2(parts, parts ? "" : parts.error().toString().c_str());
        QCOMPARE(parts->train.rows(), train);
        QCOMPARE(parts->train.rows() + parts->test.rows(), rows.rows());
        QCOMPARE(parts->train.schema.rows, parts->train.rows());
        std::set<float> all(parts->train.features.begin(), parts->train.features.end());
        all.insert(parts->test.features.begin(), parts->test.features.end());
        QCOMPARE(static_cast<std::int64_t>(all.size()), rows.rows());
        for (const Dataset* part : {&parts->train, &parts->test})
            for (std::size_t i = 0; i < part->labels.size(); ++i)
                QCOMPARE(part->labels[i], rows.labels[static_cast<std::size_t>(part->features[i])]);
    }
}

void RowsTest::splitKeepsTheClassesShares()
{
    const auto parts = split(classRows({600, 300, 101}), {0.8, 3, true});
    QVERIFY(parts);
    QCOMPARE(countsOf(parts->train), (std::vector<int>{480, 240, 81}));
    QCOMPARE(countsOf(parts->test), (std::vector<int>{120, 60, 20}));
}

void RowsTest::splitRepeatsAndFollowsTheSeed()
{
    const Dataset rows = classRows({60, 60});
    const auto first = split(rows, {0.5, 7, true}), again = split(rows, {0.5, 7, true}),
               other = split(rows, {0.5, 8, true});
    QVERIFY(first->train.features == again->train.features);
    QVERIFY(first->train.features != other->train.features);
    // pinned: the same split on every machine and in every version
    const std::vector<float> start(first->train.features.begin(), first->train.features.begin() + 8);
    QCOMPARE(start, (std::vector<float>{2, 5, 7, 9, 10, 11, 14, 15}));
}

void RowsTest::splitRefusesTooFewRows()
{
    QVERIFY(!split(classRows({1}), {0.5, 7, true}));
    QVERIFY(!split(classRows({}), {0.5, 7, true}));
    QVERIFY(!split(classRows({5, 5}), {1.0, 7, true}));
    QVERIFY(!split(classRows({5, 5}), {std::nan(""), 7, true}));
}

void RowsTest::standardizeFitsOnTrainingRowsAlone()
{
    const Dataset test = table({100, 10, -100}, 3);
    const auto parts = scaled(table({1, 10, 5, 3, 10, 7}, 3), &test, ScaleMethod::Standard);
    QVERIFY2(parts, parts ? "" : parts.error().toString().c_str());
    // columns 1 3, 10 10, 5 7: means 2, 10, 6; deviations 1, 0, 1
    QCOMPARE(parts->train.features, (std::vector<float>{-1, 0, -1, 1, 0, 1}));
    QCOMPARE(parts->test.features, (std::vector<float>{98, 0, -106}));
    QVERIFY(parts->train.preprocessing == parts->test.preprocessing);
    std::vector<float> raw{3, 10, 7};
    QVERIFY(apply(parts->train.preprocessing, 3, raw));
    QCOMPARE(raw, (std::vector<float>{1, 0, 1}));
}

void RowsTest::standardizeScalesImagesAsAWhole()
{
    Dataset images = table({0, 0, 2, 2, 0, 2, 0, 2}, 4);
    images.schema.features = Shape{2, 2, 1};
    images.schema.image = true;
    const auto step = fitScale(images, ScaleMethod::Standard);
    QVERIFY(step);
    QCOMPARE((*step)["offset"].size(), 1U);
    const auto rows = prepared(images, nlohmann::json::array({*step}));
    QVERIFY(rows);
    QCOMPARE(rows->features, (std::vector<float>{-1, -1, 1, 1, -1, 1, -1, 1}));
}

void RowsTest::standardizeRefusesRowsOfAnotherSource()
{
    const Dataset wider = table({1, 2}, 2);
    QVERIFY(!scaled(table({1, 2}, 1), &wider, ScaleMethod::Standard));
    QVERIFY(!fitScale(table({}, 2), ScaleMethod::Standard));
    Dataset filled = table({1, 2}, 1);
    filled.preprocessing.steps.push_back({{"kind", "fill"}, {"values", nlohmann::json::array({1.0})}});
    QVERIFY(!scaled(table({1, 2}, 1), &filled, ScaleMethod::Standard));
}

void RowsTest::rowsAreEncodedAsAtTraining()
{
    std::vector<std::string> lines;
    for (int i = 0; i < 60; ++i)
        lines.push_back(str(i % 7 == 0 ? "" : str(i * 0.37), ";",
                            i % 3 == 0   ? "red"
                            : i % 3 == 1 ? "blue"
                                         : "?",
                            ";", i % 5, ";", i % 2 == 0 ? "yes" : "no"));
    const std::string text = str("size;colour;count;target\n", joined(lines, "\n"), "\n");
    const auto rows = readCsv(openMemory(text, "rows.csv"), {}, "rows.csv");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    const auto parts = split(*rows, {0.7, 1, true});
    const auto ready = scaled(parts->train, &parts->test, ScaleMethod::Standard);
    QVERIFY2(ready, ready ? "" : ready.error().toString().c_str());
    const auto& steps = ready->train.preprocessing.steps;
    const auto all = prepared(*rows, nlohmann::json::array({steps[1], steps[2]}));
    QVERIFY2(all, all ? "" : all.error().toString().c_str());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const auto expected = all->row(static_cast<std::int64_t>(i));
        for (const bool withTarget : {true, false}) {
            const std::string line = withTarget ? lines[i] : lines[i].substr(0, lines[i].rfind(';'));
            const auto encoded = encodeLine(rows->schema, ready->train.preprocessing, line);
            QVERIFY2(encoded, encoded ? "" : encoded.error().toString().c_str());
            QVERIFY2(std::equal(expected.begin(), expected.end(), encoded->begin(), encoded->end()), line.c_str());
        }
        // the preprocessing survives its journey through a file bit by bit
        const Preprocessing travelled{nlohmann::json::parse(ready->train.preprocessing.steps.dump())};
        QVERIFY(*encodeLine(rows->schema, travelled, lines[i]) ==
                *encodeLine(rows->schema, ready->train.preprocessing, lines[i]));
    }
}

void RowsTest::encodingNamesTheColumn_data()
{
    QTest::addColumn<QString>("line");
    QTest::addColumn<QString>("says");
    QTest::newRow("text for a number") << "tall,red"
                                       << "Column \"size\" is \"tall\"";
    QTest::newRow("decimal comma") << "\"1,5\",red"
                                   << "Column \"size\" is \"1,5\"";
    QTest::newRow("unknown text") << "1,green"
                                  << "Column \"colour\" is \"green\"";
    QTest::newRow("too few") << "1"
                             << "1 value; 2 are expected. They are size, colour.";
    QTest::newRow("too many") << "1,2,3,4"
                              << "4 values; 2 are expected";
    QTest::newRow("empty") << ""
                           << "0 values";
    QTest::newRow("two rows") << "1,red\n2,red"
                              << "more than one row";
    QTest::newRow("quote") << "1,\"red"
                           << "2 are expected";
}

void RowsTest::encodingNamesTheColumn()
{
    QFETCH(QString, line);
    QFETCH(QString, says);
    const auto rows = readCsv(openMemory("size,colour,t\n1,red,x\n2,blue,y\n3,red,x\n4,blue,y\n", ""), {}, "");
    QVERIFY(rows);
    const auto encoded = encodeLine(rows->schema, rows->preprocessing, line.toStdString());
    QVERIFY(!encoded);
    QVERIFY2(QString::fromStdString(encoded.error().toString()).contains(says), encoded.error().toString().c_str());
}

void RowsTest::damagedPreprocessingIsRefused_data()
{
    QTest::addColumn<QByteArray>("steps");
    QTest::newRow("no object") << QByteArray("[1]");
    QTest::newRow("unknown step") << QByteArray(R"([{"kind": "fold"}])");
    QTest::newRow("no offset") << QByteArray(R"([{"kind": "scale", "factor": [1]}])");
    QTest::newRow("wrong length") << QByteArray(R"([{"kind": "scale", "offset": [1, 2, 3], "factor": [1]}])");
    QTest::newRow("empty list") << QByteArray(R"([{"kind": "fill", "values": []}])");
    QTest::newRow("text") << QByteArray(R"([{"kind": "fill", "values": ["a", "b"]}])");
    QTest::newRow("null") << QByteArray(R"([{"kind": "fill", "values": [null, null]}])");
    QTest::newRow("table without columns") << QByteArray(R"([{"kind": "table"}])");
    QTest::newRow("table of other size") << QByteArray(
        R"([{"kind": "table", "separator": ",", "columns": [{"name": "a", "role": "number"}]}])");
    QTest::newRow("unknown role") << QByteArray(
        R"([{"kind": "table", "separator": ",", "columns": [{"name": "a", "role": "x"}]}])");
}

void RowsTest::damagedPreprocessingIsRefused()
{
    QFETCH(QByteArray, steps);
    pipeline::RowsSchema schema;
    schema.features = Shape{2};
    const Preprocessing preprocessing{nlohmann::json::parse(steps.toStdString())};
    QVERIFY(!encodeLine(schema, preprocessing, "1,2"));
}

void RowsTest::pathsAreResolvedAndFlagged_data()
{
    QTest::addColumn<QString>("path");
    QTest::addColumn<int>("expected"); // 0 inside, 1 leaves the folder, 2 refused
    QTest::newRow("beside") << "rows.csv" << 0;
    QTest::newRow("below") << "data/rows.csv" << 0;
    QTest::newRow("up and back") << "data/../rows.csv" << 0;
    QTest::newRow("up") << "../rows.csv" << 1;
    QTest::newRow("up in the middle") << "data/../../rows.csv" << 1;
    QTest::newRow("absolute") << "/etc/passwd" << 1;
    QTest::newRow("symbolic link") << "link/passwd" << 1;
    QTest::newRow("sibling with the same start") << "../project2/rows.csv" << 1;
    QTest::newRow("UNC") << "\\\\host\\share\\rows.csv" << 2;
    QTest::newRow("UNC with slashes") << "//host/share/rows.csv" << 2;
    QTest::newRow("file URL") << "file:///etc/passwd" << 2;
    QTest::newRow("short file URL") << "file:/etc/passwd" << 2;
    QTest::newRow("URL") << "https://example.org/rows.csv" << 2;
    QTest::newRow("empty") << "" << 2;
    QTest::newRow("spaces") << "  " << 2;
    QTest::newRow("NUL") << QStringLiteral("a%1b").arg(QChar(u'\0')) << 2;
}

void RowsTest::pathsAreResolvedAndFlagged()
{
    QFETCH(QString, path);
    QFETCH(int, expected);
    const QTemporaryDir folder;
    const std::string base = folder.filePath(QStringLiteral("project")).toStdString();
    QVERIFY(makeDirectories(base));
    QVERIFY(QFile::link(QStringLiteral("/etc"), QString::fromStdString(base + "/link")));
    const auto reference = classifyPath(path.toStdString(), base);
    QCOMPARE(reference.has_value(), expected != 2);
    if (!reference) return;
    QCOMPARE(reference->leavesFolder, expected == 1);
    QVERIFY(reference->resolved.starts_with('/'));
}

void RowsTest::externalReferencesAreFound()
{
    pipeline::Document document;
    for (const char* path : {"rows.csv", "/etc/passwd", "../x.csv", "\\\\host\\x"}) {
        pipeline::Node node;
        node.id = str("n", document.nodes.size());
        node.type = "data.csv";
        node.params["path"] = path;
        document.nodes.push_back(node);
    }
    const auto references = externalReferences(document, pipeline::Catalogue::create(), "/tmp");
    QCOMPARE(references.size(), 2U);
    QCOMPARE(references[0].node, std::string("n1"));
    QCOMPARE(references[0].parameter, std::string("path"));
    QCOMPARE(references[1].resolved, std::string("/x.csv"));
}

void RowsTest::resourcesAreFound()
{
    qputenv("MILLRACE_RESOURCES", MILLRACE_SOURCE_DIR "/resources");
    const auto found = protocol::findResourceDirectory();
    QVERIFY(found);
    QVERIFY(exists(*found + "/data/digits/labels-idx1-ubyte.gz"));
    qputenv("MILLRACE_RESOURCES", "/nowhere");
    QVERIFY(!protocol::findResourceDirectory());
    qunsetenv("MILLRACE_RESOURCES");
    const auto beside = protocol::findResourceDirectory();
    QCOMPARE(beside.has_value(), exists(MILLRACE_BINARY_DIR "/share/millrace"));
}

QTEST_GUILESS_MAIN(RowsTest)
#include "rows_test.moc"
