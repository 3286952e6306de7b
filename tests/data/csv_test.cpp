// CSV files: what is read, what is refused and where (rows B1, B3, B4, B5 of the catalogue of faults).
#include "engine/data/cell.h"
#include "engine/data/csv.h"
#include "engine/data/encode.h"
#include "engine/data/standardize.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <algorithm>
#include <clocale>
#include <cmath>
#include <locale>

using namespace millrace;
using namespace millrace::data;

namespace {
Result<Dataset> read(const std::string& text, CsvOptions options = {})
{
    return readCsv(openMemory(text, "rows.csv"), options, "rows.csv");
}

std::string utf16(std::string_view ascii, bool bigEndian)
{
    std::string out = bigEndian ? "\xFE\xFF" : "\xFF\xFE";
    for (const char c : ascii) {
        if (bigEndian) out += '\0';
        out += c;
        if (!bigEndian) out += '\0';
    }
    return out;
}

bool anyNote(const Dataset& rows, std::string_view part)
{
    for (const std::string& note : rows.notes)
        if (note.find(part) != std::string::npos) return true;
    return false;
}

const std::string kSimple = "width,height,kind\n1,2.5,a\n3,4.5,b\n5,6.5,a\n7,8.5,b\n";
} // namespace

class CsvTest : public QObject
{
    Q_OBJECT

private slots:
    void readsNumbersAndClasses();
    void readsTheSameRowsInEveryForm_data();
    void readsTheSameRowsInEveryForm();
    void findsTheSeparator_data();
    void findsTheSeparator();
    void tellsHeadersFromValues_data();
    void tellsHeadersFromValues();
    void refusesWithPlace_data();
    void refusesWithPlace();
    void leavesFewRaggedRowsOutAndSaysSo();
    void readsLatin1AndSaysSo();
    void refusesUtf8BreachAfterMark();
    void keepsMissingValuesUntilTheyAreFilled();
    void encodesCategories();
    void leavesOutWhatTeachesNothing();
    void leavesOutColumnsAsAsked();
    void readsTargets_data();
    void readsTargets();
    void dropsRowsWithoutTarget();
    void readsTheSameInEveryLocale();
    void inspectionAgreesWithReading();
    void inspectionOfTheBeginningLeavesRowsOpen();
    void stopsWhenAsked();
    void saysThatTheFileChanged();
    void exportedCellsAreNoFormulas_data();
    void exportedCellsAreNoFormulas();
    void exportedCellsReadBack();
};

void CsvTest::readsNumbersAndClasses()
{
    const auto rows = read(kSimple);
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->rows(), 4);
    QVERIFY(rows->schema.features == Shape{2});
    QCOMPARE(rows->features, (std::vector<float>{1, 2.5F, 3, 4.5F, 5, 6.5F, 7, 8.5F}));
    QVERIFY(rows->schema.target == pipeline::TargetKind::Classes);
    QCOMPARE(rows->schema.targetName, std::string("kind"));
    QCOMPARE(rows->schema.classes, (std::vector<std::string>{"a", "b"}));
    QCOMPARE(rows->labels, (std::vector<std::int32_t>{0, 1, 0, 1}));
    QCOMPARE(rows->schema.columns[1].name, std::string("height"));
    QCOMPARE(rows->schema.columns[1].minimum, 2.5);
    QCOMPARE(rows->schema.columns[1].maximum, 8.5);
}

void CsvTest::readsTheSameRowsInEveryForm_data()
{
    QTest::addColumn<QByteArray>("text");
    const auto add = [](const char* name, const std::string& text) {
        QTest::newRow(name) << QByteArray(text.data(), static_cast<qsizetype>(text.size()));
    };
    add("CRLF", "width,height,kind\r\n1,2.5,a\r\n3,4.5,b\r\n5,6.5,a\r\n7,8.5,b\r\n");
    add("CR", "width,height,kind\r1,2.5,a\r3,4.5,b\r5,6.5,a\r7,8.5,b\r");
    add("mixed ends, none at the end", "width,height,kind\n1,2.5,a\r\n3,4.5,b\r5,6.5,a\n7,8.5,b");
    add("byte order mark", "\xEF\xBB\xBF" + kSimple);
    add("UTF-16 little-endian", utf16(kSimple, false));
    add("UTF-16 big-endian", utf16(kSimple, true));
    add("quotes", "\"width\",\"height\",\"kind\"\n\"1\",\"2.5\",\"a\"\n3,\"4.5\",b\n5,6.5,a\n7,8.5,\"b\"\n");
    add("spaces", " width , height , kind\n 1, 2.5, a\n 3, 4.5, \"b\" \n5 ,6.5 ,a\n7,8.5,b\n");
    add("empty lines", "\nwidth,height,kind\n\n1,2.5,a\n3,4.5,b\n\n\n5,6.5,a\n7,8.5,b\n\n");
    add("superfluous separators", "width,height,kind\n1,2.5,a,\n3,4.5,b,,\n5,6.5,a\n7,8.5,b\n");
    add("blank rows", "width,height,kind\n1,2.5,a\n,,\n3,4.5,b\n5,6.5,a\n7,8.5,b\n");
    add("other notations", "width,height,kind\n+1,2.50,a\n3.0,45e-1,b\n5.,6.5,a\n.7e1,8.5E0,b\n");
}

void CsvTest::readsTheSameRowsInEveryForm()
{
    QFETCH(QByteArray, text);
    const auto expected = read(kSimple);
    const auto rows = read(text.toStdString());
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->features, expected->features);
    QCOMPARE(rows->labels, expected->labels);
    QVERIFY(rows->schema == expected->schema);
}

void CsvTest::findsTheSeparator_data()
{
    QTest::addColumn<QString>("text");
    QTest::addColumn<int>("features");
    QTest::newRow("semicolon") << "a;b;k\n1;2;x\n3;4;y\n5;6;x\n7;8;y\n" << 2;
    QTest::newRow("tab") << "a\tb\tk\n1\t2\tx\n3\t4\ty\n5\t6\tx\n7\t8\ty\n" << 2;
    QTest::newRow("pipe") << "a|b|k\n1|2|x\n3|4|y\n5|6|x\n7|8|y\n" << 2;
    QTest::newRow("commas in texts") << "a;k\n1;x, y\n3;z, w\n5;x, y\n7;z, w\n" << 1;
    QTest::newRow("quoted separators") << "a,t,k\n1,\"p;q;r\",x\n2,\"p;q;r\",y\n3,\"u;v;w\",x\n4,\"u;v;w\",y\n" << 3;
    QTest::newRow("quoted line ends") << "a,t,k\n1,\"p\nq\",x\n2,\"p\nq\",y\n3,u,x\n4,u,y\n" << 3;
}

void CsvTest::findsTheSeparator()
{
    QFETCH(QString, text);
    QFETCH(int, features);
    const auto rows = read(text.toStdString());
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->rows(), 4);
    QCOMPARE(rows->schema.features.elements(), features);
}

void CsvTest::tellsHeadersFromValues_data()
{
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("lastColumn");
    QTest::addColumn<int>("rows");
    QTest::newRow("header") << "a,b\n1,x\n2,y\n3,x\n4,y\n"
                            << "b" << 4;
    QTest::newRow("numbers, none") << "1,x\n2,y\n3,x\n4,y\n"
                                   << "column 2" << 4;
    QTest::newRow("texts, none") << "p,x\nq,y\np,x\nq,y\n"
                                 << "column 2" << 4;
    QTest::newRow("texts, header") << "first,second\np,x\nq,y\np,x\nq,y\n"
                                   << "second" << 4;
    QTest::newRow("years as names") << "name,1990,kind\n1,2,x\n3,4,y\n5,6,x\n7,8,y\n"
                                    << "kind" << 4;
    QTest::newRow("a name missing") << ",b,c\n5,1,x\n9,2,y\n8,3,x\n7,4,y\n"
                                    << "c" << 4;
    QTest::newRow("first value missing") << "?,1,x\n2,2,y\n3,3,x\n4,4,y\n"
                                         << "column 3" << 4;
}

void CsvTest::tellsHeadersFromValues()
{
    QFETCH(QString, text);
    QFETCH(QString, lastColumn);
    QFETCH(int, rows);
    const auto dataset = read(text.toStdString());
    QVERIFY2(dataset, dataset ? "" : dataset.error().toString().c_str());
    QCOMPARE(dataset->schema.targetName, lastColumn.toStdString());
    QCOMPARE(dataset->rows(), rows);
}

void CsvTest::refusesWithPlace_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<int>("code");
    QTest::addColumn<int>("line");
    QTest::addColumn<int>("column");
    QTest::addColumn<QString>("says");
    const auto add = [](const char* name, const std::string& text, Code code, int line, int column, const char* says) {
        QTest::newRow(name) << QByteArray(text.data(), static_cast<qsizetype>(text.size())) << static_cast<int>(code)
                            << line << column << says;
    };
    const auto invalid = Code::InvalidFormat;
    add("empty", "", invalid, 0, 0, "no rows");
    add("only a byte order mark", "\xEF\xBB\xBF", invalid, 0, 0, "no rows");
    add("only a header", "a,b,c\n", Code::InvalidArgument, 0, 0, "no rows");
    add("one column", "a\n1\n2\n", invalid, 1, 0, "only one column");
    add("unescaped quote", "a,b,k\n1,2,x\n3,\"4\"5,y\n", invalid, 3, 6, "closing quote");
    add("quote never closed", "a,b,k\n1,2,x\n3,\"4,y\n5,6,x\n", invalid, 3, 3, "never closed");
    add("NUL",
        std::string("a,b,k\n1,2,x\n3,\0"
                    "4,y\n",
                    18),
        invalid, 3, 3, "NUL");
    add("UTF-16 without a mark", utf16(kSimple, false).substr(2), invalid, 1, 2, "NUL");
    add("UTF-16 cut off", utf16(kSimple, false) + "x", invalid, 6, 1, "UTF-16");
    add("UTF-16 half a pair", utf16("a,b\n1,x\n", false) + std::string("\x00\xD8\x31\x00", 4), invalid, 3, 1, "pair");
    add("many ragged rows", "a,b,k\n1,2,x\n3,4\n5,6,y,z\n7,8,x\n", invalid, 3, 0, "lines 3, 4");
    add("duplicate names", "a,b,a\n1,2,x\n3,4,y\n", invalid, 1, 0, "both named \"a\"");
    add("decimal comma", "a;b;k\n1,5;2;x\n2,5;3;y\n3,5;4;x\n4,5;5;y\n", invalid, 2, 1, "comma");
    add("one decimal comma", "a;b;k\n1;2;x\n2;3,5;y\n3;4;x\n4;5;y\n", invalid, 3, 3, "comma");
    add("thousands", "a,b,k\n\"1,234\",2,x\n5,3,y\n", invalid, 2, 1, "comma");
    add("too large", "a,b,k\n1,2,x\n1e400,3,y\n4,5,x\n", invalid, 3, 1, "range");
    add("too large for 32 bits", "a,b,k\n1,2,x\n1e39,3,y\n4,5,x\n", invalid, 3, 1, "range");
    add("hexadecimal", "a,b,k\n1,2,x\n0x1F,3,y\n4,5,x\n", invalid, 3, 1, "hexadecimal");
    add("infinity", "a,b,k\n1,2,x\n-inf,3,y\n4,5,x\n", invalid, 3, 1, "infinity");
    std::string date = "a,b,k\n";
    for (int i = 0; i < 20; ++i) date += str(i, ",", i, i % 2 == 0 ? ",x\n" : ",y\n");
    add("a date among numbers", date + "2020-01-01,3,x\n", invalid, 22, 1, "2020-01-01");
    std::string names = "a,name,k\n";
    for (int i = 0; i < 10; ++i) names += str(i, ",person ", i, i % 2 == 0 ? ",x\n" : ",y\n");
    add("texts without number", names, Code::InvalidArgument, 2, 3, "too many different texts");
    add("one class", "a,b,k\n1,2,x\n3,4,x\n", Code::InvalidArgument, 0, 0, "only the class \"x\"");
    add("one whole number", "a,b,k\n1,2,7\n3,4,7\n", Code::InvalidArgument, 0, 0, "only the class \"7\"");
    add("constant target", "a,b,k\n1,2,7.5\n3,4,7.5\n", Code::InvalidArgument, 0, 0, "7.5 in every row");
    add("target without values", "a,b,k\n1,2,\n3,4,?\n", Code::InvalidArgument, 0, 0, "no values");
    add("only the target", "id,k\n1,x\n2,y\n3,x\n4,y\n", Code::InvalidArgument, 0, 0, "No column is left");
}

void CsvTest::refusesWithPlace()
{
    QFETCH(QByteArray, text);
    QFETCH(int, code);
    QFETCH(int, line);
    QFETCH(int, column);
    QFETCH(QString, says);
    const auto rows = read(text.toStdString());
    QVERIFY(!rows);
    const std::string error = rows.error().toString();
    QVERIFY2(QString::fromStdString(error).contains(says), error.c_str());
    QCOMPARE(static_cast<int>(rows.error().code), code);
    QCOMPARE(rows.error().subject.file, std::string("rows.csv"));
    QCOMPARE(rows.error().subject.line, long{line});
    QCOMPARE(rows.error().subject.column, long{column});
}

void CsvTest::leavesFewRaggedRowsOutAndSaysSo()
{
    std::string text = "a,b,k\n";
    for (int i = 0; i < 300; ++i) text += str(i, ",", i, i % 2 == 0 ? ",x\n" : ",y\n");
    text += "1,2\n1,2,x,4\n";
    const auto rows = read(text);
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->rows(), 300);
    QVERIFY(anyNote(*rows, "2 rows with another number of cells are left out (lines 302, 303)"));
}

void CsvTest::readsLatin1AndSaysSo()
{
    const auto rows = read("a,k\n1,gr\xFCn\n2,\x80uro\n3,gr\xFCn\n4,\x80uro\n");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->schema.classes, (std::vector<std::string>{"grün", "€uro"}));
    QVERIFY(anyNote(*rows, "not UTF-8 (line 2, column 5)"));
    const auto undefined = read("a,k\n1,gr\x81n\n2,b\n");
    QVERIFY(!undefined);
    QCOMPARE(undefined.error().subject.line, 2L);
    QCOMPARE(undefined.error().subject.column, 5L);
}

void CsvTest::refusesUtf8BreachAfterMark()
{
    const auto rows = read("\xEF\xBB\xBF"
                           "a,k\n1,gr\xFCn\n2,b\n3,b\n");
    QVERIFY(!rows);
    QCOMPARE(rows.error().subject.line, 2L);
    QCOMPARE(rows.error().subject.column, 5L);
}

void CsvTest::keepsMissingValuesUntilTheyAreFilled()
{
    const auto rows = read("a,b,k\n1,?,x\n,2,y\n2,NA,x\n10,nan,y\n-,4,x\nN/A,NULL,y\n");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(std::count_if(rows->features.begin(), rows->features.end(), [](float x) { return std::isnan(x); }), 7);
    QVERIFY(anyNote(*rows, "3 missing values of column \"a\" are kept as missing"));
    QVERIFY(!encodeLine(rows->schema, rows->preprocessing, "?,5"));
    const auto parts = filled(*rows, &*rows);
    QVERIFY2(parts, parts ? "" : parts.error().toString().c_str());
    QCOMPARE(parts->train.features, (std::vector<float>{1, 3, 2, 2, 2, 3, 10, 3, 2, 4, 2, 3}));
    QVERIFY(parts->test.features == parts->train.features);
    QVERIFY(anyNote(parts->train, "3 missing values of column \"a\" filled with its median 2."));
    QVERIFY(anyNote(parts->train, "4 missing values of column \"b\" filled with its median 3."));
    const auto encoded = encodeLine(rows->schema, parts->train.preprocessing, "?,5");
    QVERIFY(encoded);
    QCOMPARE(*encoded, (std::vector<float>{2, 5}));
}

void CsvTest::encodesCategories()
{
    const auto rows = read("colour,a,k\nred,1,x\nblue,2,y\n?,3,x\nred,4,y\nblue,5,x\n");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->features, (std::vector<float>{0, 1, 1, 1, 0, 2, 0, 0, 3, 0, 1, 4, 1, 0, 5}));
    QCOMPARE(rows->schema.columns[0].name, std::string("colour=blue"));
    QVERIFY(anyNote(*rows, "1 missing values of column \"colour\" encoded as none"));
    const auto unknown = encodeLine(rows->schema, rows->preprocessing, "rid,1");
    QVERIFY(!unknown);
    const std::string error = unknown.error().toString();
    QVERIFY2(error.find("\"colour\"") != std::string::npos && error.find("Did you mean red?") != std::string::npos,
             error.c_str());
}

void CsvTest::leavesOutWhatTeachesNothing()
{
    const auto rows = read("Id,a,empty,k\n1,5,,x\n2,6,NA,y\n3,7,,x\n4,9,?,y\n");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->features, (std::vector<float>{5, 6, 7, 9}));
    QVERIFY(anyNote(*rows, "\"Id\" only counts the rows"));
    QVERIFY(anyNote(*rows, "hold no values: \"empty\""));
    // whole rows of the file, without target, or only what is used
    for (const char* line : {"7,6,,y", "7,6,", "6"}) {
        const auto encoded = encodeLine(rows->schema, rows->preprocessing, line);
        QVERIFY2(encoded, line);
        QCOMPARE(*encoded, std::vector<float>{6});
    }
}

void CsvTest::leavesOutColumnsAsAsked()
{
    const std::string text = "name,a,k\nann,1,x\nbob,2,y\ncid,3,x\ndan,4,y\n";
    QVERIFY(!read(text));
    const auto rows = read(text, {"", "auto", {"name"}});
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->features, (std::vector<float>{1, 2, 3, 4}));
    const auto typo = read(text, {"", "auto", {"nam"}});
    QVERIFY(!typo);
    QVERIFY(typo.error().code == Code::NotFound);
    QVERIFY2(typo.error().advice.starts_with("Did you mean name"), typo.error().advice.c_str());
    QVERIFY(!read(text, {"k", "auto", {"k", "name"}}));
}

void CsvTest::readsTargets_data()
{
    QTest::addColumn<QString>("values");
    QTest::addColumn<QString>("classes"); // empty: a number
    QTest::newRow("texts") << "b a b a c c"
                           << "a b c";
    QTest::newRow("whole numbers by value") << "10 9 10.0 9 2 2"
                                            << "2 9 10";
    QTest::newRow("real numbers") << "1.5 2 3 4 5 6"
                                  << "";
    QTest::newRow("different whole numbers") << "1 2 3 4 5 6"
                                             << "";
    QTest::newRow("yes and no") << "yes no yes no no no"
                                << "no yes";
    QTest::newRow("minus zero, large") << "-0 0 1e30 1e30 0 -0"
                                       << "0 1e+30";
    QTest::newRow("mixed") << "1 a 1 a 2 2"
                           << "1 2 a";
}

void CsvTest::readsTargets()
{
    QFETCH(QString, values);
    QFETCH(QString, classes);
    std::string text = "t,a\n";
    int row = 0;
    for (const QString& value : values.split(QLatin1Char(' '))) text += str(value.toStdString(), ",", row++, ".5\n");
    const auto rows = read(text, {"t", "auto", {}});
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->rows(), 6);
    QVERIFY((rows->schema.target == pipeline::TargetKind::Number) == classes.isEmpty());
    QCOMPARE(rows->labels.size(), classes.isEmpty() ? 0U : 6U);
    QCOMPARE(rows->targets.size(), classes.isEmpty() ? 6U : 0U);
    QStringList found;
    for (const std::string& name : rows->schema.classes) found << QString::fromStdString(name);
    QCOMPARE(found.join(QLatin1Char(' ')), classes);
    const std::vector<std::string>& names = rows->schema.classes;
    for (std::size_t i = 0; i < rows->labels.size(); ++i) {
        const std::string& name = names[static_cast<std::size_t>(rows->labels[i])];
        const std::string value = values.split(QLatin1Char(' '))[static_cast<qsizetype>(i)].toStdString();
        QVERIFY2(name == value || parseNumber(name) == parseNumber(value), value.c_str());
    }
}

void CsvTest::dropsRowsWithoutTarget()
{
    const auto rows = read("a,k\n1,x\n2,\n3,y\n4,NA\n5,x\n6,y\n");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->features, (std::vector<float>{1, 3, 5, 6}));
    QVERIFY(anyNote(*rows, "2 rows without a value of \"k\""));
}

void CsvTest::readsTheSameInEveryLocale()
{
    const auto before = read(kSimple);
    int tried = 0;
    for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "en_US.UTF-8", "fr_FR.UTF-8"}) {
        if (std::setlocale(LC_ALL, name) == nullptr) continue;
        ++tried;
        const auto rows = read(kSimple);
        QVERIFY(rows);
        QCOMPARE(rows->features, before->features);
        QVERIFY(rows->preprocessing == before->preprocessing);
    }
    // a locale of our own with a decimal comma, for machines that have none installed
    struct Comma : std::numpunct<char>
    {
        char do_decimal_point() const override { return ','; }
    };
    const std::locale old = std::locale::global(std::locale(std::locale::classic(), new Comma));
    const auto rows = read(kSimple);
    std::locale::global(old);
    std::setlocale(LC_ALL, "C");
    QVERIFY(rows);
    QCOMPARE(rows->features, before->features);
    QVERIFY(rows->preprocessing == before->preprocessing);
    QVERIFY(rows->notes == before->notes);
}

void CsvTest::inspectionAgreesWithReading()
{
    const std::string text = "colour,a,k\nred,1,x\nblue,2,y\n?,3,x\nred,4,y\nblue,5,x\n";
    const auto rows = read(text);
    const auto schema = inspectCsv(openMemory(text, "rows.csv"), {}, "rows.csv", 1u << 20);
    QVERIFY(rows && schema);
    QVERIFY(rows->schema == *schema);
}

void CsvTest::inspectionOfTheBeginningLeavesRowsOpen()
{
    std::string text = "a,b,k\n";
    for (int i = 0; i < 5000; ++i) text += str(i, ",", i * 2, i < 4000 ? ",x\n" : ",y\n");
    const auto schema = inspectCsv(openMemory(text, "rows.csv"), {}, "rows.csv", 4096);
    QVERIFY2(schema, schema ? "" : schema.error().toString().c_str());
    QCOMPARE(schema->rows, -1);
    QCOMPARE(schema->features.elements(), 2);
    QVERIFY(schema->target == pipeline::TargetKind::Classes);
}

void CsvTest::saysThatTheFileChanged()
{
    QTemporaryDir folder;
    const QString path = folder.filePath(QStringLiteral("rows.csv"));
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write(kSimple.c_str()) > 0 && file.flush());
    const auto open = openFile(path.toStdString());
    QVERIFY(open);
    QVERIFY(readCsv(*open, {}, "rows.csv"));
    QTest::qWait(20); // a file system's clock may be coarse
    QVERIFY(file.write("9,9,9\n") > 0 && file.flush());
    const auto rows = readCsv(*open, {}, "rows.csv");
    QVERIFY(!rows);
    QCOMPARE(rows.error().code, Code::Corrupt);
    QVERIFY(rows.error().message.find("dataset changed") != std::string::npos);
}

void CsvTest::stopsWhenAsked()
{
    std::stop_source stop;
    stop.request_stop();
    const auto rows = readCsv(openMemory(kSimple, "rows.csv"), {}, "rows.csv", {}, stop.get_token());
    QVERIFY(!rows);
    QVERIFY(rows.error().code == Code::Cancelled);
}

void CsvTest::exportedCellsAreNoFormulas_data()
{
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("field");
    QTest::newRow("text") << "plain"
                          << "plain";
    QTest::newRow("separator") << "a,b"
                               << "\"a,b\"";
    QTest::newRow("quote") << "say \"so\""
                           << "\"say \"\"so\"\"\"";
    QTest::newRow("line end") << "a\nb"
                              << "\"a\nb\"";
    QTest::newRow("formula") << "=1+1"
                             << "'=1+1";
    QTest::newRow("formula with quotes") << "=HYPERLINK(\"http://x\",\"y\")"
                                         << "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\")\"";
    QTest::newRow("plus") << "+cmd|' /C calc'!A0"
                          << "'+cmd|' /C calc'!A0";
    QTest::newRow("minus") << "-2+3"
                           << "'-2+3";
    QTest::newRow("at") << "@SUM(A1)"
                        << "'@SUM(A1)";
    QTest::newRow("tab") << "\t=1"
                         << "\"'\t=1\"";
    QTest::newRow("carriage return") << "\r=1"
                                     << "\"'\r=1\"";
    QTest::newRow("negative number") << "-2.5"
                                     << "-2.5";
    QTest::newRow("positive number") << "+1e-3"
                                     << "+1e-3";
    QTest::newRow("empty") << ""
                           << "";
}

void CsvTest::exportedCellsAreNoFormulas()
{
    QFETCH(QString, text);
    QFETCH(QString, field);
    QCOMPARE(QString::fromStdString(csvField(text.toStdString())), field);
}

void CsvTest::exportedCellsReadBack()
{
    const std::string value = "a \"quoted\", odd\ntext;";
    const std::string text = str("a,k\n1,", csvField(value), "\n2,other\n3,", csvField(value), "\n4,other\n");
    const auto rows = read(text);
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->schema.classes, (std::vector<std::string>{value, "other"}));
}

QTEST_GUILESS_MAIN(CsvTest)
#include "csv_test.moc"
