// The pipeline file: what is read, what is refused and where, and that what was written comes back.
#include "engine/pipeline/document.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QtTest>

using namespace millrace;
using namespace millrace::pipeline;

namespace {
std::string templateText(const std::string& name)
{
    auto text = readFile(str(MILLRACE_SOURCE_DIR, "/resources/templates/", name, ".millrace"), Limits::kFileBytes);
    return text ? *text : std::string();
}

// A file with one node, whose text is given.
std::string withNode(const std::string& node)
{
    return str("{\n  \"format\": \"millrace/1\",\n  \"nodes\": [\n    ", node, "\n  ]\n}\n");
}

std::string repeated(std::string_view piece, std::size_t times)
{
    std::string text;
    text.reserve(piece.size() * times);
    for (std::size_t i = 0; i < times; ++i) text += piece;
    return text;
}
} // namespace

class DocumentTest : public QObject
{
    Q_OBJECT

private slots:
    void templatesAreCanonical_data();
    void templatesAreCanonical();
    void whatIsWrittenComesBack_data();
    void whatIsWrittenComesBack();
    void documentsInMemoryComeBack();
    void unknownContentIsKept();
    void newerFormatComesBackByteForByte_data();
    void newerFormatComesBackByteForByte();
    void truncationAtEachByteIsRefused();
    void refusesWithItsPlace_data();
    void refusesWithItsPlace();
    void limitsAreHeld_data();
    void limitsAreHeld();
    void namesAreKeptAsTheyAre();
    void byteOrderMarkIsSkipped();
    void layersGoThereAndBack();
    void orderFollowsLinksThenTheFile();
    void cyclesHaveNoOrder();
};

void DocumentTest::templatesAreCanonical_data()
{
    QTest::addColumn<QString>("name");
    for (const char* name : {"quick_start", "csv", "mnist"}) QTest::newRow(name) << QString::fromLatin1(name);
}

void DocumentTest::templatesAreCanonical()
{
    QFETCH(QString, name);
    const std::string text = templateText(name.toStdString());
    QVERIFY(!text.empty());
    const auto document = parseDocument(text);
    QVERIFY2(document, document ? "" : document.error().toString().c_str());
    QCOMPARE(toText(*document), text);
}

void DocumentTest::whatIsWrittenComesBack_data()
{
    QTest::addColumn<QByteArray>("node");
    QTest::newRow("bare") << QByteArray(R"({"id": "a", "type": "t", "at": [0, 0]})");
    QTest::newRow("fractions") << QByteArray(R"({"id": "a", "type": "t", "at": [-1.5, 0.1]})");
    QTest::newRow("numbers") << QByteArray(
        R"({"id": "a", "type": "t", "at": [0, 0], "params": {"i": -3, "u": 18446744073709551615, "l": -9223372036854775808, "f": 0.002, "e": 1e-08, "one": 1.0, "big": 9007199254740993, "z": -0.0}})");
    QTest::newRow("values") << QByteArray(
        R"({"id": "a", "type": "t", "at": [0, 0], "params": {"n": null, "b": [true, false], "o": {"k": {"deep": [[], {}]}}}})");
    QTest::newRow("texts") << QByteArray(
        R"x({"id": "a", "type": "t", "at": [0, 0], "params": {"s": "Größe \"x\" \\ \n \u0001 日本 🙂", "": "", "<b>": "$(rm)"}})x");
    QTest::newRow("unknown") << QByteArray(
        R"({"id": "a", "type": "future.thing", "at": [20, 40], "params": {"z": 1, "a": 2}, "note": "keep", "colour": [1, 2]})");
    QTest::newRow("nested graph") << QByteArray(R"({"id": "a", "type": "t", "at": [0, 0], "params": {
      "before": 1,
      "layers": {
        "nodes": [
          {"id": "c", "type": "layer.x", "at": [0, 0], "params": {
            "inner": {
              "nodes": [
                {"id": "d", "type": "layer.y", "at": [0, 0]}
              ],
              "links": []
            }
          }},
          {"id": "e", "type": "layer.z", "at": [0, 20]}
        ],
        "links": [
          ["c.out", "e.in"]
        ],
        "later": {"k": 1}
      }
    }, "extra": true})");
}

void DocumentTest::whatIsWrittenComesBack()
{
    QFETCH(QByteArray, node);
    const std::string text = str("{\n  \"format\": \"millrace/1\",\n  \"name\": \"n\",\n  \"nodes\": [\n    ",
                                 node.toStdString(), "\n  ],\n  \"links\": []\n}\n");
    const auto document = parseDocument(text);
    QVERIFY2(document, document ? "" : document.error().toString().c_str());
    QCOMPARE(toText(*document), text);
    QVERIFY(*parseDocument(toText(*document)) == *document);
}

void DocumentTest::documentsInMemoryComeBack()
{
    Document document;
    QVERIFY(*parseDocument(toText(document)) == document);
    document.name = "with \"quotes\" and \xE2\x80\xAE";
    document.nodes = {{"a-1", "x.y", -0.0, 1e6, {{"k", 1.5}}, Json::object()},
                      {"B_2", "z", 0.1, -7, Json::object(), {{"n", nullptr}}}};
    document.links = {{{"a-1", "out"}, {"B_2", "in"}}};
    document.extra = {{"view", {{"zoom", 0.75}}}};
    const auto again = parseDocument(toText(document));
    QVERIFY2(again, again ? "" : again.error().toString().c_str());
    QVERIFY(*again == document);
}

void DocumentTest::unknownContentIsKept()
{
    const auto document = parseDocument(R"({"later": [1], "format": "millrace/1", "nodes":
        [{"type": "plug.in", "hue": 3, "params": {"q": {"w": 1}}, "id": "p"}], "view": {"zoom": 2}})");
    QVERIFY(document);
    QCOMPARE(document->nodes[0].extra.dump(), std::string(R"({"hue":3})"));
    QCOMPARE(document->extra.dump(), std::string(R"({"later":[1],"view":{"zoom":2}})"));
    const std::string expected = R"({
  "format": "millrace/1",
  "name": "",
  "nodes": [
    {"id": "p", "type": "plug.in", "at": [0, 0], "params": {"q": {"w": 1}}, "hue": 3}
  ],
  "links": [],
  "later": [1],
  "view": {"zoom": 2}
}
)";
    QCOMPARE(toText(*document), expected);
}

void DocumentTest::newerFormatComesBackByteForByte_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<int>("nodes");
    QTest::newRow("same shape") << QByteArray(
                                       "{\"format\":\"millrace/2\",  \"nodes\":[{\"id\":\"a\",\"type\":\"t\"}]}\r\n")
                                << 1;
    QTest::newRow("other shape")
        << QByteArray("\xEF\xBB\xBF{\"format\": \"millrace/12\", \"name\": {\"en\": \"x\"}, \"nodes\": {\"a\": 1}}")
        << 0;
    QTest::newRow("other links")
        << QByteArray("{\"links\": [{\"from\": 1}], \"nodes\": [{\"uid\": 4}], \"format\": \"millrace/2\"}") << 0;
}

void DocumentTest::newerFormatComesBackByteForByte()
{
    QFETCH(QByteArray, text);
    QFETCH(int, nodes);
    const auto document = parseDocument(text.toStdString());
    QVERIFY2(document, document ? "" : document.error().toString().c_str());
    QVERIFY(document->readOnly);
    QCOMPARE(static_cast<int>(document->nodes.size()), nodes);
    QCOMPARE(toText(*document), text.toStdString());
    Document copy = *document;
    QCOMPARE(applySetting(copy, "a.k=1").error().code, Code::NewerFormat);
}

void DocumentTest::truncationAtEachByteIsRefused()
{
    const std::string text = templateText("quick_start");
    const std::size_t whole = text.size() - 1; // only the last line end may be missing
    for (std::size_t length = 0; length < whole; ++length) {
        const auto document = parseDocument(std::string_view(text).substr(0, length), "q.millrace");
        QVERIFY2(!document, str("cut at byte ", length).c_str());
        QCOMPARE(document.error().code, Code::InvalidFormat);
        QVERIFY(document.error().subject.line > 0 && document.error().subject.column > 0);
        QCOMPARE(document.error().subject.file, std::string("q.millrace"));
    }
    QVERIFY(parseDocument(std::string_view(text).substr(0, whole)));
}

void DocumentTest::refusesWithItsPlace_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QString>("error"); // its beginning
    const auto row = [](const char* name, const std::string& text, const char* error) {
        QTest::newRow(name) << QByteArray::fromStdString(text) << QString::fromUtf8(error);
    };
    row("empty", "", "f, line 1, column 1: The text is empty.");
    row("only a byte order mark", "\xEF\xBB\xBF", "f, line 1, column 1: The text is empty.");
    row("no JSON", "model: 1\n", "f, line 1, column 1: This is not JSON: 'model' cannot stand here.");
    row("rest after the end", "{\"format\": \"millrace/1\"}\n}", "f, line 2, column 1: This is not JSON");
    row("comma at the end", "{\"format\": \"millrace/1\",\n}", "f, line 2, column 1: This is not JSON");
    row("NUL byte", std::string("{\"format\": \"millrace/1\"}\0x", 26), "f, line 1, column 25: There is a NUL byte");
    row("NUL in a text", withNode(R"({"id": "a", "type": "t\u0000"})"),
        "f, line 4, column 25: A text contains the character NUL");
    row("NUL in a key", withNode(R"({"id": "a", "t\u0000": 1})"),
        "f, line 4, column 17: A key contains the character NUL");
    row("not UTF-8", withNode("{\"id\": \"a\", \"type\": \"\xFF\"}"), "f, line 4, column 26: A text is not UTF-8.");
    row("half a surrogate", withNode(R"({"id": "a", "type": "\ud800"})"), "f, line 4, column");
    row("no object", "[1]", "f, line 1, column 1: A pipeline file is one JSON object.");
    row("no format", "{}", "f, line 1, column 1: This is not a Millrace pipeline: the key \"format\" is missing.");
    row("other format", "{\"format\": \"orange/1\"}",
        "f, line 1, column 12: The format is \"orange/1\"; \"millrace/1\" was expected.");
    row("format as number", "{\"format\": 1}", "f, line 1, column 12: The format is 1;");
    row("format 0", "{\"format\": \"millrace/0\"}", "f, line 1, column 12: The format is \"millrace/0\"");
    row("name as number", "{\"format\": \"millrace/1\", \"name\": 12}",
        "f, line 1, column 34: The name is 12; a text was expected.");
    row("nodes as object", "{\"format\": \"millrace/1\",\n\"nodes\": {}}",
        "f, line 2, column 10: \"nodes\" must be a list");
    row("node as text", withNode("\"a\""), "f, line 4, column 5: A node must be an object");
    row("no id", withNode(R"({"type": "t"})"), "f, line 4, column 5: A node has no \"id\".");
    row("no type", withNode(R"({"id": "a"})"), "f, line 4, column 5: The node \"a\" has no \"type\".");
    row("empty id", withNode(R"({"id": "", "type": "t"})"),
        "f, line 4, column 12: The id \"\" is not allowed; an id is 1 to 64 letters");
    row("id with two dots", withNode(R"({"id": "a..b", "type": "t"})"),
        "f, line 4, column 12: The id \"a..b\" is not allowed");
    row("id of the folder above", withNode(R"({"id": "..", "type": "t"})"), "f, line 4, column 12: The id");
    row("id that begins with a dot", withNode(R"({"id": ".a", "type": "t"})"), "f, line 4, column 12: The id");
    row("id that ends with a dot", withNode(R"({"id": "a.", "type": "t"})"), "f, line 4, column 12: The id");
    row("id with a line end", withNode(R"({"id": "a\n", "type": "t"})"),
        "f, line 4, column 12: The id \"a\\n\" is not allowed");
    row("id as path", withNode(R"({"id": "../a", "type": "t"})"), "f, line 4, column 12: The id");
    row("long id", withNode(str(R"({"id": ")", std::string(65, 'a'), R"(", "type": "t"})")),
        "f, line 4, column 12: The id");
    row("type as number", withNode(R"({"id": "a", "type": 7})"), "f, line 4, column 25: The type 7 is not a name");
    row("id twice", withNode("{\"id\": \"a\", \"type\": \"t\"},\n    {\"type\": \"t\", \"id\": \"a\"}"),
        "f, line 5, column 25: The id \"a\" is taken");
    row("key twice", "{\"format\": \"millrace/1\",\n \"name\": \"x\", \"name\": \"y\"}",
        "f, line 2, column 15: The key \"name\" is there twice");
    row("key twice in depth", withNode(R"({"id": "a", "type": "t", "params": {"q": [{"k\"": 1, "k\"": 2}]}})"),
        "f, line 4, column 58: The key \"k\"\" is there twice");
    row("position of one", withNode(R"({"id": "a", "type": "t", "at": [1]})"),
        "f, line 4, column 36: The position [1] is not");
    row("position far away", withNode(R"({"id": "a", "type": "t", "at": [0, 1e300]})"),
        "f, line 4, column 36: The position");
    row("params as list", withNode(R"({"id": "a", "type": "t", "params": []})"),
        "f, line 4, column 40: \"params\" is [];");
    row("1e999", withNode(R"({"id": "a", "type": "t", "params": {"x": 1e999}})"),
        "f, line 4, column 46: The number 1e999 is too large");
    row("-1e999", withNode(R"({"id": "a", "type": "t", "params": {"x": [-1e999]}})"),
        "f, line 4, column 47: The number -1e999 is too large");
    row("NaN", withNode(R"({"id": "a", "type": "t", "params": {"x": NaN}})"),
        "f, line 4, column 46: This is not JSON: 'NaN' cannot");
    row("Infinity", withNode(R"({"id": "a", "type": "t", "params": {"x": -Infinity}})"),
        "f, line 4, column 47: This is not JSON");
    row("huge whole number", withNode(R"({"id": "a", "type": "t", "params": {"x": 18446744073709551616}})"),
        "f, line 4, column 46: The whole number 18446744073709551616 does not fit");
    row("link of three", "{\"format\": \"millrace/1\", \"links\":\n[[\"a.b\", \"c.d\", 1]]}",
        "f, line 2, column 2: The link [\"a.b\",\"c.d\",1] is not a pair");
    row("link without port", "{\"format\": \"millrace/1\", \"links\":\n[[\"a.b\", \"c\"]]}",
        "f, line 2, column 10: The end of a link is \"c\"");
    row("link of numbers", "{\"format\": \"millrace/1\", \"links\":\n[[1, 2]]}",
        "f, line 2, column 3: The end of a link is 1");
    row("comment", "{\"format\": \"millrace/1\" // no\n}", "f, line 1, column");
    row("columns count characters", "{\"format\": \"millrace/1\", \"name\": \"ÄÖÜ\", \"name\": 1}",
        "f, line 1, column 41: The key \"name\"");
}

void DocumentTest::refusesWithItsPlace()
{
    QFETCH(QByteArray, text);
    QFETCH(QString, error);
    const auto document = parseDocument(text.toStdString(), "f");
    QVERIFY(!document);
    QCOMPARE(QString::fromStdString(document.error().toString()).left(error.size()), error);
}

void DocumentTest::limitsAreHeld_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QString>("error");
    const auto row = [](const char* name, const std::string& text, const char* error) {
        QTest::newRow(name) << QByteArray::fromStdString(text) << QString::fromUtf8(error);
    };
    row("100,000 deep", repeated("[", 100000), "f, line 1, column 65: Values are nested more than 64 deep.");
    row("100,000 objects deep", repeated("{\"a\":", 100000),
        "f, line 1, column 321: Values are nested more than 64 deep.");
    row("65 deep and closed", repeated("[", 65) + repeated("]", 65), "f, line 1, column 65: Values are nested");
    row("33 MiB text", str("{\"format\": \"", std::string(33u << 20, 'x'), "\"}"),
        "f: The text has 34.6 MB; at most 33.6 MB are read.");
    row("10 M values", str("[", repeated("1,", 10'000'000), "1]"),
        "f, line 1, column 2000000: There are more than 1,000,000 values");
    row(
        "2 M keys",
        [] {
            std::string text = "{";
            for (int i = 0; i < 2'000'000; ++i) text += str("\"", i, "\":1,");
            return text;
        }(),
        "f, line 1, column 7892: An object has more than 1,000 keys");
    row(
        "10,001 nodes",
        [] {
            std::string text = "{\"format\": \"millrace/1\",\n\"nodes\": [";
            for (int i = 0; i <= 10000; ++i) text += str(i ? "," : "", "{\"id\": \"n", i, "\", \"type\": \"t\"}");
            return text + "]}";
        }(),
        "f, line 2, column 10: There are 10,001 nodes; at most 10,000 are read.");
}

void DocumentTest::limitsAreHeld()
{
    QFETCH(QByteArray, text);
    QFETCH(QString, error);
    const auto document = parseDocument(text.toStdString(), "f");
    QVERIFY(!document);
    QCOMPARE(document.error().code, Code::TooLarge);
    QCOMPARE(QString::fromStdString(document.error().toString()).left(error.size()), error);
}

void DocumentTest::namesAreKeptAsTheyAre()
{
    for (const char* name :
         {"$(touch x)", "`id`", "%n%s", "line\nend", "\xE2\x80\xAEgpj.exe", "<img src=file:///etc/passwd>", "\x7F"}) {
        Document document;
        document.name = name;
        document.nodes = {{"a", name, 0, 0, {{name, name}}, Json::object()}};
        const auto again = parseDocument(toText(document));
        QVERIFY(again);
        QVERIFY(*again == document);
    }
}

void DocumentTest::byteOrderMarkIsSkipped()
{
    const auto document = parseDocument("\xEF\xBB\xBF{\"format\": \"millrace/1\"}");
    QVERIFY(document);
    QCOMPARE(toText(*document).substr(0, 1), std::string("{"));
}

void DocumentTest::layersGoThereAndBack()
{
    const auto document = parseDocument(templateText("quick_start"));
    const Json& json = document->find("net")->params.at("layers");
    const auto layers = layersFromJson(json);
    QVERIFY(layers);
    QCOMPARE(layers->nodes.size(), std::size_t{14});
    QCOMPARE(layers->linkInto("norm1", "in")->from.node, std::string("conv1"));
    QCOMPARE(layersToJson(*layers).dump(), json.dump());

    QCOMPARE(layersFromJson(3).error().toString(),
             std::string("The layers are 3; an object with \"nodes\" and \"links\" was expected."));
    QCOMPARE(layersFromJson(Json::parse(R"({"nodes": [{"id": "a b", "type": "t"}]})")).error().toString().substr(0, 45),
             std::string("In the layers, at nodes/0/id: The id \"a b\" is"));
}

void DocumentTest::orderFollowsLinksThenTheFile()
{
    Document document;
    for (const char* id : {"e", "c", "d", "a", "b"})
        document.nodes.push_back({id, "t", 0, 0, Json::object(), Json::object()});
    document.links = {
        {{"a", "o"}, {"c", "i"}}, {{"b", "o"}, {"c", "j"}}, {{"c", "o"}, {"e", "i"}}, {{"gone", "o"}, {"d", "i"}}};
    QCOMPARE(joined(*executionOrder(document), " "), std::string("d a b c e"));
}

void DocumentTest::cyclesHaveNoOrder()
{
    Document document;
    for (const char* id : {"a", "b", "c", "d"})
        document.nodes.push_back({id, "t", 0, 0, Json::object(), Json::object()});
    document.links = {
        {{"a", "o"}, {"b", "i"}}, {{"b", "o"}, {"c", "i"}}, {{"c", "o"}, {"b", "j"}}, {{"c", "o"}, {"d", "i"}}};
    QCOMPARE(executionOrder(document).error().toString(),
             std::string("These nodes wait for each other: b → c → b. Remove one of the links between them."));
    document.links = {{{"a", "o"}, {"a", "i"}}};
    QCOMPARE(executionOrder(document).error().message, std::string("These nodes wait for each other: a → a."));
}

QTEST_GUILESS_MAIN(DocumentTest)
#include "document_test.moc"
