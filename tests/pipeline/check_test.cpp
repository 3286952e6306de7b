// What the check says of a pipeline. The cases are text: graphs in, problems, facts and shapes out.
//
//   # name of the case
//   layers 8×8×1 10            the graph is one of layers, for rows of that shape and so many classes
//   tokens 65 32               the graph is one of layers, for windows of 32 tokens from a vocabulary of 65
//   node ID TYPE [{params}]
//   link NODE.PORT NODE.PORT
//   > error NODE[/PARAM][.PORT] [link N]: message advice
//   > fact NODE: text          facts and shapes are compared where the case lists any
//   > shape N: text
#include "engine/pipeline/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QtTest>

#include <algorithm>
#include <chrono>
#include <cmath>

using namespace millrace;
using namespace millrace::pipeline;

namespace {
RowsSchema images(std::int64_t size, std::int64_t classes, std::int64_t rows)
{
    RowsSchema schema;
    schema.features = {size, size, 1};
    schema.image = true;
    schema.rows = rows;
    schema.target = TargetKind::Classes;
    for (std::int64_t i = 0; i < classes; ++i) schema.classes.push_back(str(i));
    return schema;
}

RowsSchema table(std::vector<std::string> columns, std::vector<std::string> classes, std::int64_t rows)
{
    RowsSchema schema;
    schema.features = {static_cast<std::int64_t>(columns.size())};
    schema.rows = rows;
    schema.target = classes.empty() ? TargetKind::Number : TargetKind::Classes;
    schema.targetName = classes.empty() ? "price" : "kind";
    schema.classes = std::move(classes);
    for (std::string& column : columns) schema.columns.push_back({std::move(column), 0, 1});
    return schema;
}

RowsSchema text(std::int64_t vocabulary, std::int64_t tokens)
{
    RowsSchema schema;
    schema.features = {1};
    schema.rows = tokens;
    schema.vocabulary = vocabulary;
    schema.target = TargetKind::NextToken;
    return schema;
}

// Stands for the data module: a few files by name.
Result<RowsSchema> inspect(const Node& node, const NodeSpec& spec)
{
    if (spec.type == "data.builtin") return images(8, 10, 1797);
    const auto file = paramValue(node, spec, spec.type == "data.idx" ? "images" : "path").get<std::string>();
    if (file == "shakespeare.txt") return text(65, 1115394);
    if (file == "haiku.txt") return text(20, 100);
    if (file == "mnist.gz") return images(28, 10, 10000);
    if (file == "iris.csv") return table({"a", "b", "c", "d"}, {"x", "y", "z"}, 150);
    if (file == "other.csv") return table({"a", "b", "C", "d"}, {"x", "y", "z"}, 150);
    if (file == "large.csv") return table({"a", "b"}, {"x", "y"}, -1);
    if (file == "house.csv") return table({"a", "b"}, {}, 506);
    if (file == "same.csv") return table({"a", "b"}, {"only"}, 50);
    if (file == "one.csv") return table({"a", "b"}, {"x", "y"}, 1);
    return makeError(Code::NotFound, str("The file ", file, " is not there.")).atNode(node.id, "path");
}

struct Case
{
    std::string name;
    Document document;
    std::optional<RowsSchema> layers;
    std::vector<std::string> expected;
};

RowsSchema schemaOf(std::string_view shape, std::string_view classes)
{
    RowsSchema schema = images(1, *parseInteger(classes), 100);
    std::vector<std::int64_t> dimensions;
    std::string text(shape);
    for (std::size_t at; (at = text.find("×")) != std::string::npos;)
        text.replace(at, std::string_view("×").size(), "x");
    for (const std::string_view size : split(text, 'x')) dimensions.push_back(*parseInteger(size));
    schema.features = *Shape::create(dimensions);
    return schema;
}

Endpoint endpoint(std::string_view text)
{
    return {std::string(text.substr(0, text.find('.'))), std::string(text.substr(text.find('.') + 1))};
}

void readLine(std::string_view line, Case& result)
{
    const auto words = split(line, ' ');
    if (words[0] == "layers") result.layers = schemaOf(words[1], words[2]);
    if (words[0] == "tokens") result.layers = windowsOf(text(*parseInteger(words[1]), 1000), *parseInteger(words[2]));
    if (words[0] == "link") result.document.links.push_back({endpoint(words[1]), endpoint(words[2])});
    if (words[0] == ">") result.expected.emplace_back(line.substr(2));
    if (words[0] == "node") {
        Node node;
        node.id = words[1];
        node.type = words[2];
        if (const auto params = line.find('{'); params != std::string_view::npos)
            node.params = Json::parse(line.substr(params));
        result.document.nodes.push_back(std::move(node));
    }
}

std::vector<Case> readCases()
{
    std::vector<Case> cases;
    for (const std::string_view file : {"check", "models"}) {
        const auto lines = readFile(str(MILLRACE_TEST_DATA, "/cases/", file, ".txt"), 1 << 20);
        if (!lines) return {};
        bool inCase = false; // what stands before the first case says what the file is
        for (const std::string_view line : split(*lines, '\n')) {
            if (line.starts_with("# ")) cases.push_back({std::string(line.substr(2)), {}, {}, {}});
            inCase = inCase || line.starts_with("# ");
            if (inCase && !line.empty() && !line.starts_with("# ")) readLine(line, cases.back());
        }
    }
    return cases;
}

std::vector<std::string> linesOf(const CheckReport& report, bool withFacts)
{
    std::vector<std::string> lines;
    for (const Problem& problem : report.problems) {
        const Error& error = problem.error;
        lines.push_back(str(problem.severity == Severity::Error ? "error " : "warning ", error.subject.node,
                            error.subject.parameter.empty() ? "" : "/" + error.subject.parameter,
                            problem.port.empty() ? "" : "." + problem.port,
                            problem.link ? str(" link ", *problem.link) : str(""), ": ", error.message,
                            error.advice.empty() ? "" : " " + error.advice));
    }
    if (!withFacts) return lines;
    for (const auto& [node, fact] : report.nodeFacts) lines.push_back(str("fact ", node, ": ", fact));
    for (std::size_t i = 0; i < report.linkShapes.size(); ++i)
        if (!report.linkShapes[i].empty()) lines.push_back(str("shape ", i, ": ", report.linkShapes[i]));
    return lines;
}

Document templateDocument(const std::string& name)
{
    auto text = readFile(str(MILLRACE_SOURCE_DIR, "/resources/templates/", name, ".millrace"), Limits::kFileBytes);
    return *parseDocument(*text);
}
} // namespace

class CheckTest : public QObject
{
    Q_OBJECT

private slots:
    void cases_data();
    void cases();
    void quickStartIsRight();
    void csvTemplateAsksForItsFile();
    void checkIsQuick();
    void aLargePipelineIsCheckedSoon();
    void linkWhileDragging_data();
    void linkWhileDragging();
    void reportAsJson();
    void newerFormatIsNotRun();
};

void CheckTest::cases_data()
{
    QTest::addColumn<int>("index");
    const auto all = readCases();
    for (std::size_t i = 0; i < all.size(); ++i) QTest::newRow(all[i].name.c_str()) << static_cast<int>(i);
}

void CheckTest::cases()
{
    QFETCH(int, index);
    const Case given = readCases()[static_cast<std::size_t>(index)];
    const Catalogue catalogue = Catalogue::create();
    const CheckReport report = given.layers ? checkLayers(given.document, catalogue, *given.layers)
                                            : check(given.document, catalogue, inspect);
    const bool withFacts = std::any_of(given.expected.begin(), given.expected.end(), [](const std::string& line) {
        return line.starts_with("fact ") || line.starts_with("shape ");
    });
    const auto lines = linesOf(report, withFacts);
    QVERIFY2(lines == given.expected, str("The check says:\n> ", joined(lines, "\n> ")).c_str());
}

void CheckTest::quickStartIsRight()
{
    const CheckReport report = check(templateDocument("quick_start"), Catalogue::create(), inspect);
    const std::vector<std::string> expected{
        "fact digits: 1,797 rows · 10 classes",
        "fact evaluate: accuracy · confusion matrix",
        "fact fit: 15 epochs · AdamW 0.002 · cosine",
        "fact net: 12 layers · 38.4 k parameters · 705 kFLOP",
        "fact register: as digits",
        "fact split: 80 % train · stratified · seed 7",
        "shape 0: 8×8×1",
        "shape 1: 1,438",
        "shape 2: 359",
        "shape 5: 359",
    };
    QCOMPARE(QString::fromStdString(joined(linesOf(report, true), "\n")),
             QString::fromStdString(joined(expected, "\n")));
    QVERIFY(report.ok());
}

void CheckTest::csvTemplateAsksForItsFile()
{
    Document document = templateDocument("csv");
    const CheckReport empty = check(document, Catalogue::create(), inspect);
    QCOMPARE(
        linesOf(empty, false),
        std::vector<std::string>{"error table/path: File is missing. The CSV file, relative to the pipeline file."});
    QVERIFY(applySetting(document, "table.path=iris.csv"));
    QCOMPARE(linesOf(check(document, Catalogue::create(), inspect), false), std::vector<std::string>{});
}

void CheckTest::checkIsQuick()
{
    const Document document = templateDocument("quick_start");
    const Catalogue catalogue = Catalogue::create();
    double fastest = 1e9;
    for (int i = 0; i < 50; ++i) {
        const auto start = std::chrono::steady_clock::now();
        QVERIFY(check(document, catalogue, inspect).ok());
        fastest = std::min(fastest,
                           std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    qInfo("The quick start is checked in %.3f ms.", fastest);
    QVERIFY2(fastest < 10, "the window checks at every edit"); // some 0.2 ms in a release build; sanitizers take longer
}

void CheckTest::aLargePipelineIsCheckedSoon()
{
    Document document;
    for (std::size_t i = 0; i < Limits::kNodes; ++i) {
        document.nodes.push_back(
            {str("n", i), i == 0 ? "data.builtin" : "data.split", 0, 0, Json::object(), Json::object()});
        if (i > 0) document.links.push_back({{str("n", i - 1), i == 1 ? "rows" : "train"}, {str("n", i), "rows"}});
    }
    for (std::size_t i = 0; i < 1000; ++i)
        document.links.push_back({{str("n", 2 * i + 1), "train"}, {str("n", i + 1), "rows"}});
    const auto start = std::chrono::steady_clock::now();
    const CheckReport report = check(document, Catalogue::create(), inspect);
    QVERIFY(report.problems.size() > 1000);
    QVERIFY(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

void CheckTest::linkWhileDragging_data()
{
    QTest::addColumn<QString>("from");
    QTest::addColumn<QString>("to");
    QTest::addColumn<QString>("answer");
    const auto row = [](const char* from, const char* to, const char* answer) {
        QTest::newRow(str(from, " → ", to).c_str())
            << QString::fromUtf8(from) << QString::fromUtf8(to) << QString::fromUtf8(answer);
    };
    row("split.test", "fit.validation", "");
    row("split.train", "fit.model", "Split gives rows, but this input takes a model.");
    row("net.model", "split.rows", "Layers gives a model, but this input takes rows.");
    row("fit.metrics", "register.model", "Train gives metrics, but this input takes a model.");
    row("split.test", "fit.train", "This input already has a link from 'split'. Remove that first.");
    row("split.train", "fit.train", "This link is already there.");
    row("split.train", "split.rows", "A node cannot feed itself.");
    row("second.train", "split.rows", "'second' itself waits for 'split'; this link would close a circle.");
    row("split.rows", "fit.validation", "A link starts at an output, but 'rows' of Split is an input.");
    row("split.test", "fit.metrics", "A link ends at an input, but 'metrics' of Train is an output.");
    row("split.tast", "fit.validation", "Split has no output 'tast'. Did you mean test?");
    row("gone.rows", "fit.train", "There is no node 'gone'.");
    row("future.thing", "fit.validation", "");
}

void CheckTest::linkWhileDragging()
{
    QFETCH(QString, from);
    QFETCH(QString, to);
    QFETCH(QString, answer);
    Document document;
    for (const auto& [id, type] : std::vector<std::pair<std::string, std::string>>{{"digits", "data.builtin"},
                                                                                   {"split", "data.split"},
                                                                                   {"second", "data.split"},
                                                                                   {"net", "model.layers"},
                                                                                   {"fit", "train.supervised"},
                                                                                   {"register", "model.register"},
                                                                                   {"future", "data.tomorrow"}})
        document.nodes.push_back({id, type, 0, 0, Json::object(), Json::object()});
    document.links = {{{"split", "train"}, {"fit", "train"}}, {{"split", "test"}, {"second", "rows"}}};
    const Status status =
        canLink(document, Catalogue::create(), endpoint(from.toStdString()), endpoint(to.toStdString()));
    QCOMPARE(status ? QString() : QString::fromStdString(status.error().toString()), answer);
}

void CheckTest::reportAsJson()
{
    Document document;
    document.nodes = {{"digits", "data.builtin", 0, 0, Json::object(), Json::object()},
                      {"split", "data.split", 0, 0, {{"train", 2}}, Json::object()}};
    document.links = {{{"digits", "rows"}, {"split", "rows"}}, {{"digits", "rows"}, {"split", "row"}}};
    const auto json = toJson(check(document, Catalogue::create(), inspect));
    QCOMPARE(json["ok"].get<bool>(), false);
    QCOMPARE(json["problems"].size(), std::size_t{2});
    QCOMPARE(json["problems"][0]["node"].get<std::string>(), std::string("split"));
    QCOMPARE(json["problems"][0]["parameter"].get<std::string>(), std::string("train"));
    QCOMPARE(json["problems"][1]["link"].get<int>(), 1);
    QCOMPARE(json["problems"][1]["code"].get<std::string>(), std::string("not_found"));
    QCOMPARE(json["links"][0].get<std::string>(), std::string("8×8×1"));
    QCOMPARE(json["nodes"]["digits"].get<std::string>(), std::string("1,797 rows · 10 classes"));
    QVERIFY(*rowsSchemaFromJson(json["rows"]["digits.rows"]) ==
            *inspect(document.nodes[0], *Catalogue::create().find("data.builtin")));
}

void CheckTest::newerFormatIsNotRun()
{
    const auto document = parseDocument(R"({"format": "millrace/2", "nodes": []})");
    const CheckReport report = check(*document, Catalogue::create(), inspect);
    QVERIFY(!report.ok());
    QCOMPARE(report.problems[0].error.code, Code::NewerFormat);
}

QTEST_GUILESS_MAIN(CheckTest)
#include "check_test.moc"
