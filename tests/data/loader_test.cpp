// The loader: every row once an epoch, in an order that depends on seed and epoch alone and can be entered anywhere.
#include "engine/data/loader.h"
#include "engine/data/shard_writer.h"
#include "engine/data/stored_rows.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <atomic>
#include <cmath>
#include <numeric>
#include <thread>

using namespace millrace;
using namespace millrace::data;

namespace {
constexpr std::size_t kWidth = 3;

/// Row n holds n, 2n and 3n; its target is n / 2.
std::shared_ptr<Dataset> numbered(std::int64_t count)
{
    auto rows = std::make_shared<Dataset>();
    rows->schema.features = Shape{kWidth};
    rows->schema.rows = count;
    rows->schema.target = pipeline::TargetKind::Number;
    for (std::int64_t n = 0; n < count; ++n) {
        for (std::size_t i = 1; i <= kWidth; ++i)
            rows->features.push_back(static_cast<float>(n * static_cast<std::int64_t>(i)));
        rows->targets.push_back(static_cast<float>(n) / 2);
    }
    return rows;
}

/// The numbers of the rows from a step of an epoch on, batch after batch.
std::vector<int> rowsOf(Loader& loader, std::int64_t epoch, std::int64_t step = 0)
{
    std::vector<int> rows;
    if (auto started = loader.start(epoch, step); !started) qFatal("%s", started.error().toString().c_str());
    for (;; ++step) {
        const auto batch = loader.next({});
        if (!batch) qFatal("%s", batch.error().toString().c_str());
        if (*batch == nullptr) return rows;
        if ((*batch)->rows != loader.rowsOfStep(step)) qFatal("a batch of another size");
        for (std::size_t i = 0; i < static_cast<std::size_t>((*batch)->rows); ++i) {
            const float n = (*batch)->features[i * kWidth];
            if ((*batch)->features[i * kWidth + 2] != 3 * n || (*batch)->targets[i] != n / 2) qFatal("a torn row");
            rows.push_back(static_cast<int>(n));
        }
    }
}

std::unique_ptr<Loader> loaderOf(std::shared_ptr<const Dataset> rows, LoaderOptions options)
{
    auto loader = Loader::create(std::move(rows), options);
    if (!loader) qFatal("%s", loader.error().toString().c_str());
    return std::move(*loader);
}

LoaderOptions options(std::int64_t batch, bool shuffle = true)
{
    LoaderOptions result;
    result.batchSize = batch;
    result.seed = 5;
    result.shuffle = shuffle;
    result.threads = 3;
    result.memoryBytes = 4000; // windows of some 120 rows
    return result;
}
} // namespace

class LoaderTest : public QObject
{
    Q_OBJECT
private slots:
    void feedsEveryRowOnce_data();
    void feedsEveryRowOnce();
    void keepsTheOrderOfRowsInMemory();
    void leavesOutASingleRow();
    void mixesWithinWindows();
    void waitsForADiskThatStalls();
    void handsOnWhatTheDiskSays();
    void refusesSenselessOptions();

private:
    std::shared_ptr<const Dataset> stored(std::int64_t count, const char* name, BeforeRead beforeRead = {});
    QTemporaryDir m_folder;
};

std::shared_ptr<const Dataset> LoaderTest::stored(std::int64_t count, const char* name, BeforeRead beforeRead)
{
    const std::string path = m_folder.filePath(QString::fromLatin1(name)).toStdString();
    if (const auto written = writeShards(*numbered(count), path, {160, 1600}, {}); !written)
        qFatal("%s", written.error().toString().c_str());
    auto shards = ShardSet::open(path, std::move(beforeRead));
    if (!shards) qFatal("%s", shards.error().toString().c_str());
    auto rows = std::make_shared<Dataset>((*shards)->description());
    rows->stored = std::make_shared<const StoredRows>(*shards);
    return rows;
}

void LoaderTest::feedsEveryRowOnce_data()
{
    QTest::addColumn<bool>("onDisk");
    QTest::addColumn<int>("batch");
    for (const bool onDisk : {false, true})
        for (const int batch : {1, 7, 64, 500, 2000})
            QTest::addRow("%s, batches of %d", onDisk ? "disk" : "memory", batch) << onDisk << batch;
}

void LoaderTest::feedsEveryRowOnce()
{
    QFETCH(bool, onDisk);
    QFETCH(int, batch);
    constexpr int kRows = 1003;
    const auto rows = onDisk ? stored(kRows, "once") : numbered(kRows);
    std::vector<int> all(kRows);
    std::iota(all.begin(), all.end(), 0);

    const auto plain = loaderOf(rows, options(batch, false));
    QCOMPARE(rowsOf(*plain, 0), all);
    const auto loader = loaderOf(rows, options(batch));
    const auto first = rowsOf(*loader, 0), second = rowsOf(*loader, 1);
    QVERIFY(first != all && second != first);
    auto sorted = first;
    std::sort(sorted.begin(), sorted.end());
    QCOMPARE(sorted, all);
    // again, by another loader, and from any step on
    auto single = options(batch);
    single.threads = 1;
    const auto other = loaderOf(rows, single);
    QCOMPARE(rowsOf(*other, 1), second);
    QCOMPARE(rowsOf(*other, 0), first);
    for (const std::int64_t step : {std::int64_t{1}, loader->stepsPerEpoch() / 2, loader->stepsPerEpoch()}) {
        const auto begin = std::min<std::ptrdiff_t>(step * batch, kRows);
        QCOMPARE(rowsOf(*loader, 1, step), std::vector<int>(second.begin() + begin, second.end()));
    }
}

void LoaderTest::keepsTheOrderOfRowsInMemory()
{
    // the order that runs had before there was a loader: their results stay the same bits
    std::vector<std::uint32_t> order(100);
    permutation(5, streamOf("order/2"), order);
    const auto loader = loaderOf(numbered(100), options(8));
    QCOMPARE(rowsOf(*loader, 2), std::vector<int>(order.begin(), order.end()));
}

void LoaderTest::leavesOutASingleRow()
{
    auto some = options(10);
    QCOMPARE(loaderOf(numbered(21), some)->stepsPerEpoch(), 3);
    some.dropSingle = true;
    QCOMPARE(loaderOf(numbered(21), some)->stepsPerEpoch(), 2);
    QCOMPARE(loaderOf(numbered(22), some)->stepsPerEpoch(), 3);
    QCOMPARE(rowsOf(*loaderOf(numbered(21), some), 0).size(), 20U);
    QCOMPARE(rowsOf(*loaderOf(stored(21, "single"), some), 0).size(), 20U);
}

void LoaderTest::mixesWithinWindows()
{
    // rows that were neighbours come to lie apart, and far from where they were
    const auto order = rowsOf(*loaderOf(stored(1000, "mixed"), options(10)), 0);
    int neighbours = 0;
    double moved = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
        if (i > 0 && std::abs(order[i] - order[i - 1]) == 1) ++neighbours;
        moved += std::abs(order[i] - static_cast<int>(i)) / 1000.0;
    }
    QVERIFY(neighbours < 100);
    QVERIFY(moved > 200); // a third of all rows away on average, if order were quite random
}

void LoaderTest::waitsForADiskThatStalls()
{
    auto held = std::make_shared<std::atomic<bool>>(false); // shared with the reading thread, which may live longer
    auto rows = stored(1000, "stalled", [held](const std::string&) -> Status {
        while (*held) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        return {};
    });
    *held = true;
    std::atomic<int> notes = 0;
    auto some = options(10);
    some.note = [&](const std::string& text) {
        if (text.find("disk") != std::string::npos) ++notes;
    };
    auto loader = loaderOf(rows, some);
    QVERIFY(loader->start(0, 0));
    const std::jthread release([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(6000));
        *held = false;
    });
    const auto batch = loader->next({});
    QVERIFY(batch && *batch != nullptr);
    QCOMPARE(notes.load(), 2); // that it waits, and that it goes on

    // asked to stop while the disk is silent, it stops at once, and so does its destruction soon
    *held = true;
    QVERIFY(loader->start(1, 0));
    std::stop_source stop;
    const std::jthread stopper([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
        stop.request_stop();
    });
    QElapsedTimer timer;
    timer.start();
    const auto stopped = loader->next(stop.get_token());
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, Code::Cancelled);
    QVERIFY(timer.elapsed() < 1000);
    loader.reset();
    QVERIFY(timer.elapsed() < 4000);
    *held = false;
}

void LoaderTest::handsOnWhatTheDiskSays()
{
    std::atomic<bool> broken = false;
    const auto rows = stored(1000, "broken", [&](const std::string& file) -> Status {
        if (broken) return makeError(Code::Corrupt, "The shard is damaged.").atFile(file);
        return {};
    });
    broken = true;
    const auto loader = loaderOf(rows, options(10));
    QVERIFY(loader->start(0, 0));
    const auto batch = loader->next({});
    QVERIFY(!batch);
    QCOMPARE(batch.error().code, Code::Corrupt);
    broken = false;
    QCOMPARE(rowsOf(*loader, 0).size(), 1000U);
}

void LoaderTest::refusesSenselessOptions()
{
    QVERIFY(!Loader::create(numbered(0), options(10)));
    QVERIFY(!Loader::create(numbered(10), options(0)));
}

QTEST_APPLESS_MAIN(LoaderTest)
#include "loader_test.moc"
