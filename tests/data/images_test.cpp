// IDX files and the built-in digits (row B6 of the catalogue of faults).
#include "engine/data/data.h"
#include "engine/data/encode.h"
#include "engine/data/idx.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <zlib.h>

using namespace millrace;
using namespace millrace::data;

namespace {
std::string bigEndian(std::uint32_t value)
{
    std::string out;
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xFF);
    return out;
}

std::string idx(std::initializer_list<std::uint32_t> sizes, std::string_view values, char type = 0x08)
{
    std::string out{'\0', '\0', type, static_cast<char>(sizes.size())};
    for (const std::uint32_t size : sizes) out += bigEndian(size);
    return out + std::string(values);
}

std::string gzip(const std::string& bytes, const QString& path)
{
    gzFile file = gzopen(path.toLocal8Bit().constData(), "wb9");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path.toStdString();
}

Result<IdxArray> parse(const std::string& bytes)
{
    const auto read = openMemory(bytes, "images")();
    return readIdx(*read, ContentSize{bytes.size(), false}, "images");
}

pipeline::Node node(const char* type, std::initializer_list<std::pair<const char*, std::string>> params)
{
    pipeline::Node result;
    result.id = "rows";
    result.type = type;
    for (const auto& [name, value] : params) result.params[name] = value;
    return result;
}
} // namespace

class ImagesTest : public QObject
{
    Q_OBJECT

private slots:
    void readsImagesAndLabels();
    void refusesWrongIdx_data();
    void refusesWrongIdx();
    void refusesEveryTruncation();
    void refusesWrongPairs_data();
    void refusesWrongPairs();
    void readsGzipAndRefusesWhatItsHeaderOverstates();
    void readsTheDigits();
    void rememberedInspectionFollowsTheFiles();
    void readsMnist();

private:
    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
    Folders m_folders{MILLRACE_TEST_DATA, MILLRACE_SOURCE_DIR "/resources"};
    const pipeline::NodeSpec& spec(const char* type) const { return *m_catalogue.find(type); }
};

void ImagesTest::readsImagesAndLabels()
{
    const auto images = parse(idx({2, 1, 2}, {"\x00\xFF\x33\x66", 4}));
    const auto labels = parse(idx({2}, {"\x07\x03", 2}));
    QVERIFY(images && labels);
    const auto rows = imagesAndLabels(*images, *labels, 255, "images", "labels");
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QVERIFY(rows->schema.features == (Shape{1, 2, 1}));
    QVERIFY(rows->schema.image);
    QCOMPARE(rows->schema.classes, (std::vector<std::string>{"3", "7"}));
    QCOMPARE(rows->labels, (std::vector<std::int32_t>{1, 0}));
    QCOMPARE(rows->features[0], 0.0F);
    QCOMPARE(rows->features[1], 1.0F);
    const auto encoded = encodeNumbers(rows->schema, rows->preprocessing, std::vector<float>{51, 102});
    QVERIFY(encoded);
    QCOMPARE(*encoded, (std::vector<float>{rows->features[2], rows->features[3]}));
    QVERIFY(!encodeNumbers(rows->schema, rows->preprocessing, std::vector<float>{51, 256}));
    QCOMPARE(rawRange(rows->preprocessing).maximum, 255.0F);
}

void ImagesTest::refusesWrongIdx_data()
{
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("code");
    const auto add = [](const char* name, const std::string& bytes, Code code = Code::InvalidFormat) {
        QTest::newRow(name) << QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size())) << static_cast<int>(code);
    };
    add("empty", "");
    add("magic", "PNG\x03" + std::string(20, 'x'));
    add("type unknown", idx({1}, "x", 0x07));
    add("floats", idx({1}, "xxxx", 0x0D), Code::Unsupported);
    add("rank 0", std::string("\0\0\x08\0", 4));
    add("rank 9", idx({1, 1, 1, 1, 1, 1, 1, 1, 1}, "x"));
    add("header cut off", std::string("\0\0\x08\x03\0\0\0\x01\0\0", 10));
    add("sizes beyond the file", idx({1000, 28, 28}, "xyz"));
    add("sizes beyond 64 bits", idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, "xyz"));
    add("sizes that wrap to what is there", idx({0x80000000, 0x80000000, 4}, ""));
    add("sizes beyond the limit", idx({0xFFFFFFFF, 1024}, "xyz"), Code::TooLarge);
    add("trailing bytes", idx({2}, "abc"));
    add("a byte short", idx({2}, "a"));
}

void ImagesTest::refusesWrongIdx()
{
    QFETCH(QByteArray, bytes);
    QFETCH(int, code);
    const auto array = parse(bytes.toStdString());
    QVERIFY(!array);
    QCOMPARE(static_cast<int>(array.error().code), code);
    QCOMPARE(array.error().subject.file, std::string("images"));
}

void ImagesTest::refusesEveryTruncation()
{
    const std::string whole = idx({3, 2, 2}, "abcdefghijkl");
    QVERIFY(parse(whole));
    for (std::size_t length = 0; length < whole.size(); ++length)
        QVERIFY2(!parse(whole.substr(0, length)), str(length).c_str());
}

void ImagesTest::refusesWrongPairs_data()
{
    QTest::addColumn<QByteArray>("images");
    QTest::addColumn<QByteArray>("labels");
    QTest::addColumn<QString>("says");
    const auto bytes = [](const std::string& text) {
        return QByteArray(text.data(), static_cast<qsizetype>(text.size()));
    };
    const QByteArray labels = bytes(idx({2}, {"\0\1", 2})), images = bytes(idx({2, 1, 1}, "ab"));
    QTest::newRow("other count") << images << bytes(idx({3}, {"\0\1\2", 3})) << "3 labels for the 2 images";
    QTest::newRow("exchanged") << labels << images << "exchanged";
    QTest::newRow("labels of images") << images << images << "exchanged";
    QTest::newRow("none") << bytes(idx({0, 1, 1}, "")) << bytes(idx({0}, "")) << "no images";
    QTest::newRow("no width") << bytes(idx({2, 1, 0}, "")) << labels << "at least 1";
    QTest::newRow("channels first") << bytes(idx({2, 3, 1, 9}, std::string(54, 'x'))) << labels << "channels";
    QTest::newRow("one class") << images << bytes(idx({2}, {"\5\5", 2})) << "nothing to tell apart";
}

void ImagesTest::refusesWrongPairs()
{
    QFETCH(QByteArray, images);
    QFETCH(QByteArray, labels);
    QFETCH(QString, says);
    const auto first = parse(images.toStdString()), second = parse(labels.toStdString());
    QVERIFY(first && second);
    const auto rows = imagesAndLabels(*first, *second, 255, "images", "labels");
    QVERIFY(!rows);
    QVERIFY2(QString::fromStdString(rows.error().toString()).contains(says), rows.error().toString().c_str());
}

void ImagesTest::readsGzipAndRefusesWhatItsHeaderOverstates()
{
    const QTemporaryDir folder;
    const std::string labels = gzip(idx({2}, {"\0\1", 2}), folder.filePath(QStringLiteral("labels.gz")));
    const std::string images = gzip(idx({2, 1, 1}, "ab"), folder.filePath(QStringLiteral("images.gz")));
    const auto good = load(node("data.idx", {{"images", images}, {"labels", labels}}), spec("data.idx"), m_folders);
    QVERIFY2(good, good ? "" : good.error().toString().c_str());
    QCOMPARE(good->rows(), 2);
    for (const std::string& wrong : {idx({2, 1, 1}, "abc"), idx({2, 1, 2}, "ab"), idx({2, 40000, 40000}, "ab")}) {
        gzip(wrong, QString::fromStdString(images));
        const auto rows = load(node("data.idx", {{"images", images}, {"labels", labels}}), spec("data.idx"), m_folders);
        QVERIFY(!rows);
        QCOMPARE(rows.error().subject.node, std::string("rows"));
        QCOMPARE(rows.error().subject.parameter, std::string("images"));
        QCOMPARE(rows.error().subject.file, images);
    }
}

void ImagesTest::readsTheDigits()
{
    const auto digits = node("data.builtin", {{"name", "digits"}});
    const auto rows = load(digits, spec("data.builtin"), m_folders);
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->rows(), 1797);
    QVERIFY(rows->schema.features == (Shape{8, 8, 1}));
    QCOMPARE(rows->schema.classes.size(), 10U);
    // the first digit of the original file: 0,0,5,13,9,1,0,0 … is a 0
    const std::vector<float> start(rows->features.begin(), rows->features.begin() + 8);
    QCOMPARE(start, (std::vector<float>{0, 0, 5 / 16.F, 13 / 16.F, 9 / 16.F, 1 / 16.F, 0, 0}));
    QCOMPARE(rows->labels[0], 0);
    std::vector<int> counts(10);
    for (const std::int32_t label : rows->labels) ++counts[static_cast<std::size_t>(label)];
    QCOMPARE(counts, (std::vector<int>{178, 182, 177, 183, 181, 182, 181, 179, 174, 180}));
    QCOMPARE(rawRange(rows->preprocessing).maximum, 16.0F);

    const auto schema = inspect(digits, spec("data.builtin"), m_folders);
    QVERIFY(schema);
    QVERIFY(*schema == rows->schema);
    const auto hash = contentHash(digits, spec("data.builtin"), m_folders);
    QVERIFY(hash);
    QCOMPARE(hash->size(), 64U);
    const auto unknown = load(node("data.builtin", {{"name", "faces"}}), spec("data.builtin"), m_folders);
    QVERIFY(!unknown);
    QCOMPARE(unknown.error().subject.parameter, std::string("name"));
}

void ImagesTest::rememberedInspectionFollowsTheFiles()
{
    const QTemporaryDir folder;
    const auto inspector = rememberingInspector({folder.path().toStdString(), ""});
    const auto csv = node("data.csv", {{"path", "rows.csv"}});
    const std::string path = folder.filePath(QStringLiteral("rows.csv")).toStdString();
    QVERIFY(!inspector(csv, spec("data.csv")));
    QVERIFY(durableReplace(path, "a,k\n1,x\n2,y\n3,x\n4,y\n"));
    QCOMPARE(inspector(csv, spec("data.csv"))->rows, 4);
    QCOMPARE(inspector(csv, spec("data.csv"))->rows, 4);
    QVERIFY(durableReplace(path, "a,k\n1,x\n2,y\n3,x\n4,y\n5,x\n"));
    QCOMPARE(inspector(csv, spec("data.csv"))->rows, 5);
    const auto other = node("data.csv", {{"path", "rows.csv"}, {"target", "zz"}});
    const auto refused = inspector(other, spec("data.csv"));
    QVERIFY(!refused);
    QCOMPARE(refused.error().subject.parameter, std::string("target"));
}

void ImagesTest::readsMnist()
{
    const std::string folder =
        qEnvironmentVariable("MILLRACE_TEST_DATA_FOLDER", QStringLiteral(MILLRACE_SOURCE_DIR "/../shared/data"))
            .toStdString();
    if (!exists(folder + "/t10k-images-idx3-ubyte.gz"))
        QSKIP("MNIST's test images are not there: set MILLRACE_TEST_DATA_FOLDER to the folder that holds them.");
    const auto rows = load(node("data.idx", {{"images", folder + "/t10k-images-idx3-ubyte.gz"},
                                             {"labels", folder + "/t10k-labels-idx1-ubyte.gz"}}),
                           spec("data.idx"), m_folders);
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->rows(), 10000);
    QVERIFY(rows->schema.features == (Shape{28, 28, 1}));
    QCOMPARE(rows->schema.classes.size(), 10U);
}

QTEST_GUILESS_MAIN(ImagesTest)
#include "images_test.moc"
