// Measured choices on disk: what is stored is found by the next process, and nothing that a file holds can do harm.
#include "kernels/base/files.h"
#include "kernels/cuda/algorithm_cache.h"

#include <QTemporaryDir>
#include <QTest>

using namespace millrace;
using namespace millrace::kernels;
using namespace millrace::kernels::cuda;

namespace {

const DeviceInfo kDevice{.uuid = "GPU-1", .name = "Test GPU", .multiprocessors = 132, .libraries = "cuBLASLt 1"};
const AlgorithmChoice kChoice{.place = 3, .microseconds = 12.5};

std::string onlyFile(const QTemporaryDir& folder)
{
    const auto names = listDirectory(folder.path().toStdString());
    return names && names->size() == 1 ? joinPath(folder.path().toStdString(), names->front()) : "";
}

} // namespace

class AlgorithmCacheTest : public QObject
{
    Q_OBJECT

private slots:
    void init() { qunsetenv("MILLRACE_TUNE"); }

    void keepsWhatWasStored()
    {
        const QTemporaryDir folder;
        const std::string path = folder.path().toStdString();
        {
            AlgorithmCache cache(path, kDevice);
            QVERIFY(!cache.find("product 1", 8));
            cache.store("product 1", kChoice);
            cache.store("product 2", {.place = 0, .microseconds = 1});
        }
        const AlgorithmCache next(path, kDevice);
        QCOMPARE(next.find("product 1", 8), std::optional(kChoice));
        QVERIFY(next.find("product 2", 1));
        QVERIFY2(!next.find("product 1", 3), "a place that the library does not offer was found");
    }

    void twoProcessesLoseNothing()
    {
        const QTemporaryDir folder;
        const std::string path = folder.path().toStdString();
        AlgorithmCache first(path, kDevice);
        first.store("a", kChoice);
        AlgorithmCache second(path, kDevice);
        first.store("b", kChoice);
        second.store("c", kChoice);
        first.store("d", kChoice);
        const AlgorithmCache next(path, kDevice);
        for (const char* key : {"a", "b", "c", "d"}) QVERIFY2(next.find(key, 8), key);
    }

    void otherDevicesAndLibrariesHaveTheirOwn()
    {
        const QTemporaryDir folder;
        AlgorithmCache(folder.path().toStdString(), kDevice).store("a", kChoice);
        DeviceInfo other = kDevice;
        other.libraries = "cuBLASLt 2";
        QVERIFY(!AlgorithmCache(folder.path().toStdString(), other).find("a", 8));
        other = kDevice;
        other.uuid = "GPU-2"; // the same kind of device: all ranks compute alike
        QVERIFY(AlgorithmCache(folder.path().toStdString(), other).find("a", 8));
    }

    void damageCostsNoMoreThanItsLine()
    {
        const QTemporaryDir folder;
        const std::string path = folder.path().toStdString();
        {
            AlgorithmCache cache(path, kDevice);
            for (const char* key : {"a", "b", "c"}) cache.store(key, kChoice);
        }
        const std::string file = onlyFile(folder);
        std::string content = readFile(file, 1 << 20).value();
        content[content.find("\tb\t") - 1] ^= 1; // in the time of b
        content.resize(content.size() - 3);      // a torn last line: c
        QVERIFY(durableReplace(file, content));
        {
            AlgorithmCache cache(path, kDevice);
            QVERIFY(cache.find("a", 8));
            QVERIFY(!cache.find("b", 8));
            QVERIFY(!cache.find("c", 8));
            cache.store("d", kChoice);
        }
        const AlgorithmCache next(path, kDevice);
        QVERIFY(next.find("a", 8));
        QVERIFY(next.find("d", 8));
    }

    void foreignFilesAreReplaced()
    {
        const QTemporaryDir folder;
        const std::string path = folder.path().toStdString();
        AlgorithmCache(path, kDevice).store("a", kChoice);
        const std::string file = onlyFile(folder);
        for (const char* content : {"", "millrace algorithms 2\tof a later version\n", "\x7F\x45\x4C\x46"}) {
            QVERIFY(durableReplace(file, content));
            QVERIFY(!AlgorithmCache(path, kDevice).find("a", 8));
            AlgorithmCache(path, kDevice).store("a", kChoice);
            QVERIFY(AlgorithmCache(path, kDevice).find("a", 8));
        }
    }

    void worksWithoutAFolder()
    {
        AlgorithmCache nowhere("", kDevice), refused("/proc/no such folder", kDevice);
        for (AlgorithmCache* cache : {&nowhere, &refused}) {
            cache->store("a", kChoice);
            QVERIFY(cache->find("a", 8));
        }
    }

    void canBeSwitchedOff()
    {
        QVERIFY(AlgorithmCache("", kDevice).measures());
        qputenv("MILLRACE_TUNE", "off");
        QVERIFY(!AlgorithmCache("", kDevice).measures());
    }
};

QTEST_APPLESS_MAIN(AlgorithmCacheTest)
#include "algorithm_cache_test.moc"
