// safetensors: what is written, and every breach of the format refused (rows C1 to C3 of the catalogue of faults).
#include "engine/formats/safetensors.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <cmath>
#include <fcntl.h>
#include <limits>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace millrace;
using namespace millrace::formats;

namespace {
std::string file(const std::string& header, const std::string& data = {})
{
    std::string out;
    for (std::size_t i = 0; i < 8; ++i) out += static_cast<char>(header.size() >> (8 * i) & 0xFF);
    return out + header + data;
}

std::string entry(const std::string& name, const std::string& type, const std::string& shape,
                  const std::string& offsets)
{
    return str("\"", name, "\":{\"dtype\":\"", type, "\",\"shape\":", shape, ",\"data_offsets\":", offsets, "}");
}

const std::string kGood = file(str("{", entry("a", "F32", "[1]", "[0,4]"), "}"), "1234");
} // namespace

class SafetensorsTest : public QObject
{
    Q_OBJECT

private slots:
    void writesWhatItReads();
    void writesTheSameBytes();
    void writesTheFormatToTheByte();
    void keepsWideElementsAligned();
    void refusesWhatCannotBeWritten();
    void readsTheLegalOddities();
    void refusesBreaches_data();
    void refusesBreaches();
    void refusesEveryTruncation();
    void refusesBeforeItAllocates();
    void refusesWhatIsNoFile();
    void namesTensorsThatAreNotFinite();
    void saysWhichTensorIsMissing();
};

void SafetensorsTest::writesWhatItReads()
{
    const std::vector<float> weights{1, -2.5F, 3e-40F, std::numeric_limits<float>::max(), 0, -0.0F};
    const std::vector<std::uint8_t> bytes{1, 2, 3};
    const std::vector<std::int64_t> wide{-1, std::numeric_limits<std::int64_t>::min()};
    const std::vector<TensorView> tensors{tensorView<std::uint8_t>("bytes", DType::U8, {3}, bytes),
                                          tensorView<float>("weights", DType::F32, {2, 3}, weights),
                                          tensorView<std::int64_t>("wide", DType::I64, {2}, wide)};
    const auto written = writeSafetensors(tensors, {{"who", "me \"and\" you\n"}});
    QVERIFY(written);
    const auto read = Safetensors::parse(*written);
    QVERIFY2(read, read ? "" : read.error().toString().c_str());
    QCOMPARE(read->metadata().at("who"), std::string("me \"and\" you\n"));
    QCOMPARE(*read->elements<float>("weights", DType::F32, {2, 3}), weights);
    QCOMPARE(*read->elements<std::uint8_t>("bytes", DType::U8, {3}), bytes);
    QCOMPARE(*read->elements<std::int64_t>("wide", DType::I64, {2}), wide);

    const QTemporaryDir folder;
    const std::string path = folder.filePath(QStringLiteral("x.safetensors")).toStdString();
    QVERIFY(durableReplace(path, *written));
    const auto fromFile = Safetensors::read(path);
    QVERIFY(fromFile);
    QCOMPARE(*fromFile->elements<float>("weights", DType::F32, {2, 3}), weights);
}

void SafetensorsTest::writesTheSameBytes()
{
    const std::vector<float> values{1, 2};
    const std::vector<TensorView> tensors{tensorView<float>("b", DType::F32, {2}, values),
                                          tensorView<float>("a", DType::F32, {2}, values)};
    QCOMPARE(*writeSafetensors(tensors, {{"x", "1"}, {"y", "2"}}),
             *writeSafetensors(tensors, {{"y", "2"}, {"x", "1"}}));
    const auto read = Safetensors::parse(*writeSafetensors(tensors));
    QCOMPARE(read->tensors()[0].name, std::string("b")); // in the order given
}

void SafetensorsTest::writesTheFormatToTheByte()
{
    const std::vector<TensorView> tensors{{"a", DType::F32, {1}, "1234"}};
    const std::string header = str("{", entry("a", "F32", "[1]", "[0,4]"), "}");
    const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
    QCOMPARE(*writeSafetensors(tensors), file(padded, "1234"));
}

void SafetensorsTest::keepsWideElementsAligned()
{
    const std::vector<TensorView> tensors{
        {"u8", DType::U8, {3}, "abc"}, {"f64", DType::F64, {1}, "12345678"}, {"f32", DType::F32, {1}, "1234"}};
    const auto written = writeSafetensors(tensors);
    const auto read = Safetensors::parse(*written);
    QVERIFY2(read, read ? "" : read.error().toString().c_str());
    QCOMPARE(read->tensors()[0].name, std::string("f64"));
    QCOMPARE(read->tensors()[2].name, std::string("u8"));
}

void SafetensorsTest::refusesWhatCannotBeWritten()
{
    QVERIFY(!writeSafetensors(std::vector<TensorView>{{"a", DType::F32, {2}, "1234"}}));
    QVERIFY(!writeSafetensors(std::vector<TensorView>{{"a", DType::U8, {1}, "1"}, {"a", DType::U8, {1}, "2"}}));
    QVERIFY(!writeSafetensors(std::vector<TensorView>{{"__metadata__", DType::U8, {1}, "1"}}));
    QVERIFY(!writeSafetensors(std::vector<TensorView>{{"\xFF", DType::U8, {1}, "1"}}));
}

void SafetensorsTest::readsTheLegalOddities()
{
    for (const std::string& good :
         {kGood, file("{}"), file("{}   "), file(str("{", entry("scalar", "F32", "[]", "[0,4]"), "}"), "1234"),
          file(str("{", entry("empty", "F32", "[0]", "[0,0]"), "}")),
          file(str("{", entry("empty", "F32", "[3,0,2]", "[0,0]"), "}")),
          file(str("{", entry("b", "U8", "[2]", "[4,6]"), ",", entry("e", "F32", "[0]", "[4,4]"), ",",
                   entry("a", "F32", "[1]", "[0,4]"), "}"),
               "123456"),
          file(R"({"__metadata__":{"":""}})"), file(str("{", entry("", "U8", "[1]", "[0,1]"), "}"), "x")}) {
        const auto read = Safetensors::parse(good);
        QVERIFY2(read, (good.substr(8) + ": " + (read ? "" : read.error().toString())).c_str());
    }
}

void SafetensorsTest::refusesBreaches_data()
{
    QTest::addColumn<QByteArray>("bytes");
    const auto add = [](const char* name, const std::string& bytes) {
        QTest::newRow(name) << QByteArray(bytes.data(), static_cast<qsizetype>(bytes.size()));
    };
    const auto one = [&](const char* name, const std::string& type, const std::string& shape,
                         const std::string& offsets, const std::string& data) {
        add(name, file(str("{", entry("a", type, shape, offsets), "}"), data));
    };
    // C1: the header
    add("empty", "");
    add("seven bytes", "1234567");
    add("header length only", std::string("\2\0\0\0\0\0\0\0", 8));
    add("header length beyond the file", std::string("\3\0\0\0\0\0\0\0{}", 10));
    add("header length negative", std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10));
    add("header length that wraps", std::string("\xF8\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}", 10));
    add("header empty", file(""));
    add("header starts with a space", file(" {}"));
    add("header is a list", file("[]"));
    add("header is no JSON", file("{a}"));
    add("header cut off", file("{\"a\":"));
    add("header with more behind it", file("{} x"));
    add("header with a NUL behind it", file(std::string("{}\0\0", 4)));
    add("header invalid UTF-8", file("{\"\xFF\":{}}"));
    add("header deep", file("{\"a\":" + std::string(100'000, '[')));
    // C2: shapes and offsets
    one("fewer bytes than the shape", "F32", "[2]", "[0,4]", "1234");
    one("more bytes than the shape", "F32", "[1]", "[0,8]", "12345678");
    one("end beyond the file", "F32", "[2]", "[0,8]", "1234");
    one("reversed", "F32", "[1]", "[4,0]", "1234");
    one("hole at the start", "F32", "[1]", "[4,8]", "12345678");
    one("negative offset", "F32", "[1]", "[-4,0]", "1234");
    one("offset with a fraction", "F32", "[1]", "[0.0,4]", "1234");
    one("offset over 64 bits", "F32", "[1]", "[0,18446744073709551616]", "1234");
    one("three offsets", "F32", "[1]", "[0,4,4]", "1234");
    one("one offset", "F32", "[1]", "[0]", "1234");
    one("offsets no list", "F32", "[1]", "4", "1234");
    one("product overflow", "F32", "[4294967296,4294967296,4294967296]", "[0,0]", "");
    one("product that wraps to what is there", "F32", "[4611686018427387905,4]", "[0,4]", "1234");
    one("dimension over 63 bits", "F32", "[9223372036854775808]", "[0,4]", "1234");
    one("negative dimension", "F32", "[-1]", "[0,4]", "1234");
    one("rank 9", "U8", "[1,1,1,1,1,1,1,1,1]", "[0,1]", "x");
    one("shape a text", "F32", "\"1\"", "[0,4]", "1234");
    one("scalar of two", "F32", "[]", "[0,8]", "12345678");
    one("unknown type", "F8_E4M3", "[4]", "[0,4]", "1234");
    one("type a number", "F32\",\"x\":\"", "[1]", "[0,4]", "1234");
    const std::string a = entry("a", "F32", "[1]", "[0,4]");
    add("overlap", file(str("{", a, ",", entry("b", "F32", "[1]", "[0,4]"), "}"), "1234"));
    add("partial overlap", file(str("{", a, ",", entry("b", "F32", "[1]", "[2,6]"), "}"), "123456"));
    add("hole between", file(str("{", a, ",", entry("b", "F32", "[1]", "[8,12]"), "}"), std::string(12, 'x')));
    add("empty tensor inside another", file(str("{", a, ",", entry("b", "F32", "[0]", "[2,2]"), "}"), "1234"));
    add("unaligned",
        file(str("{", entry("u", "U8", "[1]", "[0,1]"), ",", entry("b", "F32", "[1]", "[1,5]"), "}"), "12345"));
    // C3: names, metadata, tails
    add("name twice", file(str("{", a, ",", entry("a", "F32", "[1]", "[4,8]"), "}"), "12345678"));
    add("name twice, once escaped", file(str("{", a, ",", entry("\\u0061", "F32", "[1]", "[4,8]"), "}"), "12345678"));
    add("field twice", file(R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", "x"));
    add("field unknown", file(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"strides":[1]}})", "x"));
    add("field missing", file(R"({"a":{"dtype":"U8","shape":[1]}})"));
    add("entry a number", file(R"({"a":1})"));
    add("metadata a number", file(R"({"__metadata__":{"x":1}})"));
    add("metadata nested", file(R"({"__metadata__":{"x":{}}})"));
    add("metadata a text", file(R"({"__metadata__":"x"})"));
    add("metadata twice", file(R"({"__metadata__":{"x":"1"},"__metadata__":{"x":"1"}})"));
    add("metadata name twice", file(R"({"__metadata__":{"x":"1","x":"2"}})"));
    add("bytes behind the data", kGood + "x");
    add("zip behind the data", kGood + "PK\x03\x04");
    // other formats under this name
    add("zip", "PK\x03\x04" + std::string(100, 'x'));
    add("pickle", "\x80\x04\x95" + std::string(100, 'x'));
    add("HDF5", "\x89HDF\r\n\x1a\n" + std::string(100, 'x'));
    add("GGUF", "GGUF" + std::string(100, 'x'));
}

void SafetensorsTest::refusesBreaches()
{
    QFETCH(QByteArray, bytes);
    const auto read = Safetensors::parse(bytes.toStdString(), "x.safetensors");
    QVERIFY(!read);
    QVERIFY(read.error().code == Code::InvalidFormat || read.error().code == Code::TooLarge ||
            read.error().code == Code::Unsupported);
    QCOMPARE(read.error().subject.file, std::string("x.safetensors"));
    // the same from a file, where nothing is read before it is checked
    const QTemporaryDir folder;
    const std::string path = folder.filePath(QStringLiteral("x.safetensors")).toStdString();
    QVERIFY(durableReplace(path, bytes.toStdString()));
    const auto fromFile = Safetensors::read(path);
    QVERIFY(!fromFile);
    QVERIFY(fromFile.error().code == read.error().code);
}

void SafetensorsTest::refusesEveryTruncation()
{
    for (std::size_t length = 0; length < kGood.size(); ++length)
        QVERIFY2(!Safetensors::parse(kGood.substr(0, length)), str(length).c_str());
}

void SafetensorsTest::refusesBeforeItAllocates()
{
    const QTemporaryDir folder;
    const std::string path = folder.filePath(QStringLiteral("sparse.safetensors")).toStdString();
    // a sparse file of 64 GB: its header's length is over the cap, then its tensors do not fit
    for (const std::string& start : {std::string("\0\xE1\xF5\x05\1\0\0\0{", 9), file("{}"),
                                     file(str("{", entry("a", "F32", "[4]", "[0,16]"), "}"))}) {
        QVERIFY(durableReplace(path, start));
        QCOMPARE(::truncate(path.c_str(), off_t{64} << 30), 0);
        rusage before{}, after{};
        ::getrusage(RUSAGE_SELF, &before);
        QVERIFY(!Safetensors::read(path));
        ::getrusage(RUSAGE_SELF, &after);
        QVERIFY(after.ru_maxrss - before.ru_maxrss < 16 * 1024);
    }
    QVERIFY(durableReplace(path, "x"));
}

void SafetensorsTest::refusesWhatIsNoFile()
{
    const QTemporaryDir folder;
    const std::string fifo = folder.filePath(QStringLiteral("fifo")).toStdString();
    QCOMPARE(::mkfifo(fifo.c_str(), 0600), 0);
    QVERIFY(!Safetensors::read(fifo));
    QVERIFY(!Safetensors::read(folder.path().toStdString()));
    const auto missing = Safetensors::read(folder.filePath(QStringLiteral("none")).toStdString());
    QVERIFY(!missing && missing.error().code == Code::NotFound);
}

void SafetensorsTest::namesTensorsThatAreNotFinite()
{
    const std::vector<float> good{1, std::numeric_limits<float>::max()}, bad{1, std::nanf("")}, infinite{-INFINITY, 1};
    const std::vector<double> wide{1, INFINITY};
    const std::vector<std::uint16_t> bfloat{0x7F80}, half{0x7C01}, fine{0x7BFF, 0x3C00};
    const std::vector<TensorView> tensors{tensorView<float>("good", DType::F32, {2}, good),
                                          tensorView<float>("bad", DType::F32, {2}, bad),
                                          tensorView<float>("infinite", DType::F32, {2}, infinite),
                                          tensorView<double>("wide", DType::F64, {2}, wide),
                                          tensorView<std::uint16_t>("bfloat", DType::BF16, {1}, bfloat),
                                          tensorView<std::uint16_t>("half", DType::F16, {1}, half),
                                          tensorView<std::uint16_t>("fine", DType::F16, {2}, fine)};
    QCOMPARE(nonFiniteTensors(tensors), (std::vector<std::string>{"bad", "infinite", "wide", "bfloat", "half"}));
}

void SafetensorsTest::saysWhichTensorIsMissing()
{
    const auto read =
        Safetensors::parse(*writeSafetensors(std::vector<TensorView>{{"conv1.weight", DType::U8, {1}, "x"}}));
    QVERIFY(read);
    const auto missing = read->elements<std::uint8_t>("conv1.wight", DType::U8, {1});
    QVERIFY(!missing && missing.error().code == Code::NotFound);
    QCOMPARE(missing.error().advice, std::string("Did you mean conv1.weight?"));
    QVERIFY(!read->elements<float>("conv1.weight", DType::F32, {1}));
    QVERIFY(!read->elements<std::uint8_t>("conv1.weight", DType::U8, {1, 1}));
}

QTEST_GUILESS_MAIN(SafetensorsTest)
#include "safetensors_test.moc"
