// Pictures: every kind of PNG and JPEG against what Pillow reads (images/, written by images/make.py), damage, bombs,
// folders that somebody else filled (rows B7 and B8 of the catalogue of faults), and MNIST as PNG files.
#include "engine/data/data.h"
#include "engine/data/image.h"
#include "engine/data/image_files.h"
#include "engine/data/image_folder.h"
#include "engine/data/image_repeats.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QDir>
#include <QTemporaryDir>
#include <QtTest>
#include <fcntl.h>
#include <png.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace millrace;
using namespace millrace::data;

namespace {
std::string sample(const std::string& name)
{
    return readFile(MILLRACE_TEST_DATA "/images/" + name, 1u << 20).value();
}

std::vector<std::uint8_t> bytesOfHex(const std::string& hex)
{
    const QByteArray bytes = QByteArray::fromHex(QByteArray::fromStdString(hex));
    return {bytes.begin(), bytes.end()};
}

/// The largest difference; 999 for pictures of different sizes.
int difference(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b)
{
    if (a.size() != b.size()) return 999;
    int most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
    return most;
}

/// A grey PNG file, written by libpng.
std::string greyPng(const std::uint8_t* pixels, std::uint32_t height, std::uint32_t width)
{
    png_image image{};
    image.version = PNG_IMAGE_VERSION;
    image.width = width;
    image.height = height;
    image.format = PNG_FORMAT_GRAY;
    png_alloc_size_t size = 0;
    png_image_write_to_memory(&image, nullptr, &size, 0, pixels, 0, nullptr);
    std::string file(size, '\0');
    png_image_write_to_memory(&image, file.data(), &size, 0, pixels, 0, nullptr);
    file.resize(size);
    return file;
}

std::string greyPng(std::uint8_t value)
{
    const std::vector<std::uint8_t> pixels(16, value);
    return greyPng(pixels.data(), 4, 4);
}
} // namespace

class ImageFolderTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void readsWhatPillowReads_data();
    void readsWhatPillowReads();
    void refusesEveryTruncation_data();
    void refusesEveryTruncation();
    void refusesDamage();
    void refusesBombsByTheirHeader();
    void orientationSurvivesAnyBytes();
    void folderGivesRows();
    void badImagesAreQuarantined();
    void nothingOutsideIsRead();
    void repeatedImagesAreTold();
    void imagesOfBothPartsAreCounted();
    void namesMayBeAnyBytes();
    void refusesFolders_data();
    void refusesFolders();
    void nodeReadsFolders();
    void readsMnistAsPng();

private:
    std::string path(const std::string& name = {}) const { return m_folder->path().toStdString() + "/" + name; }
    void write(const std::string& name, std::string_view bytes)
    {
        QVERIFY(makeDirectories(parentPath(path(name))));
        const auto file = FileHandle::open(path(name), O_WRONLY | O_CREAT | O_TRUNC);
        QVERIFY(file && file->writeAll(bytes));
    }
    std::unique_ptr<QTemporaryDir> m_folder;
};

void ImageFolderTest::init()
{
    m_folder = std::make_unique<QTemporaryDir>();
}

void ImageFolderTest::readsWhatPillowReads_data()
{
    QTest::addColumn<QString>("name");
    const auto expected = nlohmann::json::parse(sample("expected.json"));
    QVERIFY(expected.size() > 20);
    for (const auto& [name, pixels] : expected.items()) QTest::newRow(name.c_str()) << QString::fromStdString(name);
}

void ImageFolderTest::readsWhatPillowReads()
{
    QFETCH(QString, name);
    const auto expected = nlohmann::json::parse(sample("expected.json")).at(name.toStdString());
    const auto pixels = [&](const char* key) { return bytesOfHex(expected.at(key).get<std::string>()); };
    const auto rgb = decodeImage(sample(name.toStdString()), 3), grey = decodeImage(sample(name.toStdString()), 1);
    QVERIFY2(rgb && grey, rgb ? "" : rgb.error().toString().c_str());
    QCOMPARE(rgb->height, expected.at("height").get<std::size_t>());
    QCOMPARE(rgb->width, expected.at("width").get<std::size_t>());
    QCOMPARE(rgb->channels, 3u);
    // libjpeg-turbo's versions differ by one where they interpolate colours; composing on white rounds
    const bool exact = name.endsWith(QLatin1String("png")) && !name.contains(QLatin1String("opacity"));
    QVERIFY(difference(rgb->pixels, pixels("rgb")) <= (exact ? 0 : 2));
    QVERIFY(difference(grey->pixels, pixels("grey")) <= (exact ? 0 : 2));
    QVERIFY(difference(resized(*rgb, 3, 5).pixels, pixels("small")) <= (exact ? 1 : 3));
    QVERIFY(difference(resized(*rgb, 11, 13).pixels, pixels("large")) <= (exact ? 1 : 3));
}

void ImageFolderTest::refusesEveryTruncation_data()
{
    QTest::addColumn<QString>("name");
    for (const char* name :
         {"colour.png", "interlaced.png", "palette.png", "colour.jpg", "progressive.jpg", "cmyk.jpg"})
        QTest::newRow(name) << QString::fromLatin1(name);
}

void ImageFolderTest::refusesEveryTruncation()
{
    QFETCH(QString, name);
    const std::string whole = sample(name.toStdString());
    for (std::size_t size = 0; size < whole.size(); ++size)
        QVERIFY2(!decodeImage(std::string_view(whole).substr(0, size), 3), str(size, " bytes are read").c_str());
}

void ImageFolderTest::refusesDamage()
{
    std::string file = sample("colour.png");
    file[file.find("IDAT") + 10] ^= 1;
    const auto crc = decodeImage(file, 3);
    QVERIFY(!crc);
    QCOMPARE(crc.error().code, Code::InvalidFormat);
    const auto other = decodeImage("GIF89a", 3);
    QVERIFY(!other);
    QCOMPARE(other.error().code, Code::Unsupported);
    // a picture with something after its end is whole
    QVERIFY(decodeImage(sample("colour.png") + "more", 3));
    QVERIFY(decodeImage(sample("colour.png") + std::string(100, 'x'), 3));
    std::string longer = sample("colour.png");
    longer.insert(33, std::string("\x4d\x4d\x00\x1a" "eXIf", 8)); // a second chunk of 1.3 GB
    const auto claimed = decodeImage(longer, 3);
    QVERIFY(!claimed);
    QVERIFY(claimed.error().message.find("cut off") != std::string::npos);
}

void ImageFolderTest::refusesBombsByTheirHeader()
{
    const auto png = decodeImage(sample("bomb.png"), 3);
    QVERIFY(!png);
    QCOMPARE(png.error().code, Code::TooLarge);
    QVERIFY(png.error().message.find("60000×60000") != std::string::npos);
    for (const char* name : {"colour.jpg", "progressive.jpg"}) {
        std::string jpeg = sample(name);
        const std::size_t baseline = jpeg.find("\xFF\xC0"), progressive = jpeg.find("\xFF\xC2");
        const std::size_t frame = std::min(baseline, progressive);
        QVERIFY(frame != std::string::npos);
        for (std::size_t i = 5; i < 9; i += 2) {
            jpeg[frame + i] = static_cast<char>(60000 >> 8);
            jpeg[frame + i + 1] = static_cast<char>(60000 & 0xFF);
        }
        const auto bomb = decodeImage(jpeg, 3);
        QVERIFY(!bomb);
        QCOMPARE(bomb.error().code, Code::TooLarge);
    }
}

void ImageFolderTest::orientationSurvivesAnyBytes()
{
    const std::string right("MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0", 22);
    QCOMPARE(exifOrientation(right), 6);
    for (std::size_t size = 0; size < right.size(); ++size) QCOMPARE(exifOrientation(right.substr(0, size)), 1);
    QCOMPARE(exifOrientation(std::string("II*\0\xFF\xFF\xFF\xFF", 8)), 1);
    QCOMPARE(exifOrientation(std::string("II*\0\x08\0\0\0\xFF\xFF", 10)), 1);
}

void ImageFolderTest::folderGivesRows()
{
    write("cats/b.PNG", greyPng(255));
    write("cats/inner/a.png", greyPng(51));
    write("dogs/c.jpg", sample("grey.jpg"));
    write("dogs/notes.txt", "no image");
    write("dogs/.hidden.png", "no image");
    write("birds/readme", "nothing here");
    write("beside.png", greyPng(1));
    const auto rows = readImageFolder(path(), {2, 3, false, 0}, {});
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->schema.classes, (std::vector<std::string>{"cats", "dogs"}));
    QCOMPARE(rows->schema.features, (Shape{2, 3, 1}));
    QVERIFY(rows->schema.image);
    QCOMPARE(rows->labels, (std::vector<std::int32_t>{0, 0, 1}));
    QCOMPARE(rows->rows(), 3);
    QCOMPARE(rows->row(0)[0], 1.0F); // cats/b.PNG
    QCOMPARE(rows->row(1)[5], 0.2F);
    const std::vector<std::string> notes{"2 files are left out: their names are not those of PNG or JPEG files.",
                                         "1 image beside the classes' folders is left out.",
                                         "1 folder without images is no class."};
    QVERIFY(rows->notes == notes);
    QCOMPARE(readImageFolder(path(), {2, 3, true, 0}, {})->schema.features, (Shape{2, 3, 3}));
}

void ImageFolderTest::badImagesAreQuarantined()
{
    for (int i = 0; i < 200; ++i)
        write(str(i % 2 ? "odd/" : "even/", i, ".png"), greyPng(static_cast<std::uint8_t>(i)));
    write("odd/101.png", sample("colour.png").substr(0, 90));
    write("even/50.png", "");
    const auto rows = readImageFolder(path(), {4, 4, false, 1}, {});
    QVERIFY(rows);
    QCOMPARE(rows->rows(), 198);
    QCOMPARE(rows->schema.rows, 198);
    QCOMPARE(rows->labels.size(), 198u);
    QCOMPARE(rows->notes.at(0), std::string("2 images cannot be read and are left out:"));
    QCOMPARE(rows->notes.at(1), std::string("even/50.png: The file is empty."));
    QVERIFY(rows->notes.at(2).starts_with("odd/101.png: The PNG file is damaged: "));

    write("even/52.jpg", "no image");
    write("even/52.png", "no image");
    const auto stopped = readImageFolder(path(), {4, 4, false, 1}, {});
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, Code::InvalidFormat);
    QVERIFY2(stopped.error().message.starts_with("More than 1 % of the 201 images cannot be read."),
             stopped.error().message.c_str());
    QVERIFY(readImageFolder(path(), {4, 4, false, 2}, {}));
}

void ImageFolderTest::nothingOutsideIsRead()
{
    const QTemporaryDir outside;
    const std::string elsewhere = outside.filePath(QStringLiteral("secret.png")).toStdString();
    QVERIFY(durableReplace(elsewhere, greyPng(7)));
    write("a/1.png", greyPng(1));
    write("b/2.png", greyPng(2));
    QCOMPARE(::symlink(elsewhere.c_str(), path("a/link.png").c_str()), 0);
    QCOMPARE(::symlink("nowhere", path("a/dangling.png").c_str()), 0);
    QCOMPARE(::symlink("..", path("a/loop").c_str()), 0);
    QCOMPARE(::symlink(outside.path().toLocal8Bit().constData(), path("c").c_str()), 0);
    QCOMPARE(::mkfifo(path("b/fifo.png").c_str(), 0600), 0);
    const auto rows = readImageFolder(path(), {4, 4, false, 0}, {});
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->rows(), 2);
    QCOMPARE(rows->notes.at(0), std::string("4 links are not followed."));

    // what became a link or a FIFO after it was listed is refused as well
    const auto folder = ImageFolder::open(path());
    for (const char* name : {"a/link.png", "a/loop/b/2.png", "c/secret.png", "b/fifo.png", "a/dangling.png"}) {
        const auto read = folder->read(name);
        QVERIFY2(!read && read.error().code == Code::InvalidFormat, name);
    }
    QVERIFY(folder->read("b/2.png"));
}

void ImageFolderTest::repeatedImagesAreTold()
{
    write("a/1.png", greyPng(1));
    write("a/2.png", greyPng(2));
    write("a/3.png", greyPng(1));
    write("b/4.png", greyPng(2));
    const auto rows = readImageFolder(path(), {4, 4, false, 0}, {});
    QVERIFY(rows);
    QCOMPARE(rows->rows(), 4);
    QCOMPARE(rows->notes.at(0),
             std::string("2 images are the same as another, for example a/1.png and a/3.png; a split may put one into "
                         "training and the other into the test. 1 of them in another class."));
}

void ImageFolderTest::imagesOfBothPartsAreCounted()
{
    for (int i = 0; i < 10; ++i) write(str(i % 2, "/", i, ".png"), greyPng(static_cast<std::uint8_t>(i)));
    const auto train = readImageFolder(path(), {4, 4, false, 0}, {});
    write("1/9.png", greyPng(77));
    write("1/a.png", greyPng(78));
    const auto held = readImageFolder(path(), {4, 4, false, 0}, {});
    QVERIFY(train && held);
    QCOMPARE(repeatedImages(*train, *held), 9);
    QCOMPARE(repeatedImages(*train, *readImageFolder(path(), {5, 5, false, 0}, {})), 0);
    Dataset table = *train;
    table.schema.image = false;
    QCOMPARE(repeatedImages(table, table), 0);
}

void ImageFolderTest::namesMayBeAnyBytes()
{
    write("caf\xE9/\xFF\x01.png", greyPng(1));
    write("b\u00E4r/2.png", greyPng(2));
    const auto rows = readImageFolder(path(), {4, 4, false, 0}, {});
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->schema.classes, (std::vector<std::string>{"b\u00E4r", "caf\\xE9"}));
    QVERIFY(!pipeline::toJson(rows->schema).dump().empty());
    QVERIFY(removeAll(path("caf\xE9"))); // Qt cannot
}

void ImageFolderTest::refusesFolders_data()
{
    QTest::addColumn<QStringList>("files");
    QTest::addColumn<QString>("folder");
    QTest::addColumn<Code>("code");
    const auto row = [](const char* name, QStringList files, const char* folder, Code code) {
        QTest::newRow(name) << files << QString::fromLatin1(folder) << code;
    };
    const auto l = [](const char* text) { return QString::fromLatin1(text); };
    row("nothing there", {}, "none", Code::NotFound);
    row("a file", {l("a.png")}, "a.png", Code::InvalidFormat);
    row("empty", {}, "", Code::InvalidArgument);
    row("images without classes", {l("a.png"), l("b.png")}, "", Code::InvalidArgument);
    row("one class", {l("a/a.png"), l("b/b.txt")}, "", Code::InvalidArgument);
    row("too deep", {l("a/1.png"), l("b/1/2/3/4/5/6/7/8/9/x.png")}, "", Code::TooLarge);
}

void ImageFolderTest::refusesFolders()
{
    QFETCH(QStringList, files);
    QFETCH(QString, folder);
    QFETCH(Code, code);
    for (const QString& file : files) write(file.toStdString(), greyPng(1));
    const auto rows = readImageFolder(path(folder.toStdString()), {}, {});
    QVERIFY(!rows);
    QCOMPARE(rows.error().code, code);
    QVERIFY(!inspectImageFolder(path(folder.toStdString()), {}));
}

void ImageFolderTest::nodeReadsFolders()
{
    write("set/a/1.png", greyPng(1));
    write("set/b/2.png", greyPng(2));
    const auto catalogue = pipeline::Catalogue::create();
    const pipeline::NodeSpec& spec = *catalogue.find("data.image_folder");
    pipeline::Node node;
    node.id = "images";
    node.type = "data.image_folder";
    node.params = {{"path", "set"}, {"height", 8}, {"width", 6}};
    const Folders folders{path(), {}};
    const auto rows = load(node, spec, folders);
    QVERIFY2(rows, rows ? "" : rows.error().toString().c_str());
    QCOMPARE(rows->schema.features, (Shape{8, 6, 3}));
    const auto inspector = rememberingInspector(folders);
    QVERIFY(*inspector(node, spec) == rows->schema);
    const auto hash = contentHash(node, spec, folders);
    QTest::qSleep(20); // a folder's stamp may be as coarse as the kernel's clock
    write("set/b/3.png", greyPng(3));
    QVERIFY(hash && *contentHash(node, spec, folders) != *hash);
    QCOMPARE(inspector(node, spec)->rows, 3);

    node.params["path"] = "nowhere";
    const auto missing = load(node, spec, folders);
    QVERIFY(!missing);
    QCOMPARE(missing.error().subject.parameter, std::string("path"));
}

void ImageFolderTest::readsMnistAsPng()
{
    const QString data =
        qEnvironmentVariable("MILLRACE_TEST_DATA_FOLDER", QStringLiteral(MILLRACE_SOURCE_DIR "/../shared/data"));
    if (!QDir(data).exists(QStringLiteral("t10k-images-idx3-ubyte.gz"))) QSKIP("The MNIST files are not there.");
    const auto catalogue = pipeline::Catalogue::create();
    pipeline::Node node;
    node.id = "mnist";
    node.type = "data.idx";
    node.params = {{"images", "t10k-images-idx3-ubyte.gz"}, {"labels", "t10k-labels-idx1-ubyte.gz"}};
    const auto digits = load(node, *catalogue.find("data.idx"), {data.toStdString(), {}});
    QVERIFY2(digits, digits ? "" : digits.error().toString().c_str());
    constexpr std::int64_t kImages = 500;
    std::vector<std::vector<std::int64_t>> byClass(10);
    for (std::int64_t i = 0; i < kImages; ++i) {
        const auto label = digits->labels[static_cast<std::size_t>(i)];
        std::vector<std::uint8_t> pixels;
        for (const float value : digits->row(i)) pixels.push_back(static_cast<std::uint8_t>(value * 255 + 0.5F));
        write(str(label, "/", 10000 + i, ".png"), greyPng(pixels.data(), 28, 28));
        byClass[static_cast<std::size_t>(label)].push_back(i);
    }
    const auto rows = readImageFolder(path(), {28, 28, false, 0}, {});
    QVERIFY(rows);
    QCOMPARE(rows->rows(), kImages);
    std::int64_t row = 0;
    for (std::size_t label = 0; label < 10; ++label)
        for (const std::int64_t i : byClass[label]) {
            QCOMPARE(rows->labels[static_cast<std::size_t>(row)], static_cast<std::int32_t>(label));
            QVERIFY(std::equal(rows->row(row).begin(), rows->row(row).end(), digits->row(i).begin()));
            ++row;
        }
}

QTEST_APPLESS_MAIN(ImageFolderTest)
#include "image_folder_test.moc"
