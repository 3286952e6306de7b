// Committed folders, checkpoints and the stage cache: whole or not there, after a kill or a failure at every step.
#include "engine/formats/checkpoint_store.h"
#include "engine/formats/stage_cache.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace millrace;
using namespace millrace::formats;

namespace {
FilesToWrite filesOf(const std::string& weights)
{
    return {{"weights.safetensors", weights}, {"optimizer.safetensors", "momenta"}, {"loader.json", "{}"}};
}

/// The steps of one commit, in order.
std::vector<std::string> stepsOf(const std::string& folder)
{
    std::vector<std::string> steps;
    const auto note = [&](std::string_view step) {
        steps.emplace_back(step);
        return Status();
    };
    auto store = CheckpointStore::open(folder);
    (void)store->save(100, filesOf("x"), {}, note).has_value();
    (void)store->save(100, filesOf("y"), {}, note).has_value();
    return steps;
}

int countIn(const std::string& folder, std::string_view part)
{
    int count = 0;
    for (const std::string& name : listDirectory(folder).value_or(std::vector<std::string>()))
        if (name.find(part) != std::string::npos) ++count;
    return count;
}
} // namespace

class FoldersTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void savesAndLoads();
    void keepsTheNewest();
    void aKillAtEveryStepLeavesAWholeCheckpoint();
    void aFailureAtEveryStepLeavesTheOldOnes();
    void aFullDiskLeavesTheOldOnes();
    void aDamagedNewestIsPassedOverAndReplaced();
    void leftoversBlockNothing();
    void strangersInTheFolderAreIgnored();
    void namesWithPathsAreRefused();
    void cacheKeepsTheFirstAndDropsTheDamaged();
    void cacheTrimsWhatWasUsedLongestAgo();

private:
    std::unique_ptr<QTemporaryDir> m_folder;
    std::string m_path;
};

void FoldersTest::init()
{
    m_folder = std::make_unique<QTemporaryDir>();
    m_path = m_folder->filePath(QStringLiteral("checkpoints")).toStdString();
}

void FoldersTest::savesAndLoads()
{
    auto store = CheckpointStore::open(m_path);
    QVERIFY(store);
    QVERIFY(!store->loadNewest()->has_value());
    const auto saved = store->save(120, filesOf("weights"), {{"epoch", 3}});
    QVERIFY2(saved, saved ? "" : saved.error().toString().c_str());
    const auto loaded = store->loadNewest();
    QVERIFY(loaded && *loaded);
    QCOMPARE((*loaded)->step, 120);
    QCOMPARE((*loaded)->folder.meta["epoch"].get<int>(), 3);
    QCOMPARE((*loaded)->folder.files.at("weights.safetensors"), std::string("weights"));
    QCOMPARE((*loaded)->folder.files.size(), 3U);
    QCOMPARE((*loaded)->folder.manifestSha256, saved->folder.manifestSha256);
    QCOMPARE((*loaded)->folder.sizeBytes, saved->folder.sizeBytes);
    QVERIFY((*loaded)->notes.empty());
}

void FoldersTest::keepsTheNewest()
{
    auto store = CheckpointStore::open(m_path);
    for (const int step : {10, 9, 100, 200, 1000}) QVERIFY(store->save(step, filesOf("w"), {}));
    QCOMPARE(*store->steps(), (std::vector<std::int64_t>{1000, 200}));
    QCOMPARE(countIn(m_path, "."), 0); // no temporary folder, no trash
}

/// A child process saves step 2 and is gone at the given step of it, as after kill -9.
static void killDuringSave(const std::string& path, const std::string& at)
{
    const pid_t child = ::fork();
    if (child == 0) {
        auto store = CheckpointStore::open(path);
        (void)store
            ->save(2, filesOf("new"), {},
                   [&](std::string_view step) {
                       if (step == at) ::_exit(9);
                       return Status();
                   })
            .has_value();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    QCOMPARE(WEXITSTATUS(status), 9);
}

void FoldersTest::aKillAtEveryStepLeavesAWholeCheckpoint()
{
    const auto steps = stepsOf(m_folder->filePath(QStringLiteral("steps")).toStdString());
    QCOMPARE(steps.size(), 17U); // 8 of a new name, 9 where one is replaced
    for (const std::string& step : steps) {
        if (step == "replace") continue; // below
        QVERIFY(removeAll(m_path));
        QVERIFY(CheckpointStore::open(m_path)->save(1, filesOf("old"), {}));
        killDuringSave(m_path, step);
        auto store = CheckpointStore::open(m_path);
        const auto loaded = store->loadNewest();
        QVERIFY2(loaded && *loaded, step.c_str());
        // only after the rename is the new one there
        QCOMPARE((*loaded)->step, step == "sync parent" ? 2 : 1);
        QVERIFY((*loaded)->notes.empty());
        QVERIFY(store->save(2, filesOf("again"), {}));
        QCOMPARE(countIn(m_path, "tmp"), 0);
        QCOMPARE((*store->loadNewest())->folder.files.at("weights.safetensors"), std::string("again"));
    }
    killDuringSave(m_path, "replace");
    QCOMPARE((*CheckpointStore::open(m_path)->loadNewest())->folder.files.at("weights.safetensors"),
             std::string("again"));
}

void FoldersTest::aFailureAtEveryStepLeavesTheOldOnes()
{
    for (const std::string& failing : stepsOf(m_folder->filePath(QStringLiteral("steps")).toStdString())) {
        QVERIFY(removeAll(m_path));
        auto store = CheckpointStore::open(m_path);
        QVERIFY(store->save(1, filesOf("old"), {}));
        QVERIFY(store->save(2, filesOf("before"), {}));
        const auto saved = store->save(2, filesOf("new"), {}, [&](std::string_view step) -> Status {
            if (step == failing) return makeError(Code::DiskFull, "No space left.");
            return {};
        });
        QVERIFY2(!saved, failing.c_str());
        QVERIFY(saved.error().code == Code::DiskFull);
        QCOMPARE(countIn(m_path, "tmp"), 0);
        const std::string expected = failing == "sync parent" ? "new" : "before";
        QCOMPARE((*store->loadNewest())->folder.files.at("weights.safetensors"), expected);
    }
}

void FoldersTest::aFullDiskLeavesTheOldOnes()
{
    auto store = CheckpointStore::open(m_path);
    QVERIFY(store->save(1, filesOf("old"), {}));
    const std::string large(1 << 20, 'x');
    // a limit on file sizes makes write(2) fail as a full disk does, at every 64 kB of it
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    for (rlim_t bytes = 0; bytes < large.size(); bytes += 64 << 10) {
        const rlimit small{bytes, limit.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &small);
        const auto saved = store->save(2, filesOf(large), {});
        ::setrlimit(RLIMIT_FSIZE, &limit);
        QVERIFY(!saved);
        QCOMPARE(countIn(m_path, "tmp"), 0);
        QCOMPARE((*store->loadNewest())->step, 1);
    }
}

void FoldersTest::aDamagedNewestIsPassedOverAndReplaced()
{
    auto store = CheckpointStore::open(m_path);
    QVERIFY(store->save(1, filesOf("one"), {}));
    QVERIFY(store->save(2, filesOf("two"), {}));
    QVERIFY(durableReplace(m_path + "/step-2/weights.safetensors", "twq"));
    const auto loaded = store->loadNewest();
    QVERIFY(loaded && *loaded);
    QCOMPARE((*loaded)->step, 1);
    QCOMPARE((*loaded)->notes.size(), 1U);
    QVERIFY((*loaded)->notes[0].find("step-2") != std::string::npos);
    QVERIFY(store->save(2, filesOf("two"), {}));
    QCOMPARE((*store->loadNewest())->step, 2);

    QVERIFY(durableReplace(m_path + "/step-2/manifest.json", "{}"));
    QVERIFY(removeAll(m_path + "/step-1/loader.json"));
    const auto none = store->loadNewest();
    QVERIFY(!none && none.error().code == Code::Corrupt);
    // a resumed run that fell back to an older checkpoint does not find the damaged newer one again
    QVERIFY(store->save(1, filesOf("one"), {}));
    QCOMPARE(*store->steps(), (std::vector<std::int64_t>{1}));
}

void FoldersTest::leftoversBlockNothing()
{
    QVERIFY(makeDirectories(m_path + "/step-7.tmp-123"));
    QVERIFY(durableReplace(m_path + "/step-7.tmp-123/manifest.json", "{"));
    QVERIFY(makeDirectories(m_path + "/.trash-9/x"));
    auto store = CheckpointStore::open(m_path);
    QVERIFY(store);
    QCOMPARE(countIn(m_path, "t"), 0);
    QVERIFY(store->save(7, filesOf("w"), {}));
    QCOMPARE((*store->loadNewest())->step, 7);
}

void FoldersTest::strangersInTheFolderAreIgnored()
{
    auto store = CheckpointStore::open(m_path);
    QVERIFY(store->save(7, filesOf("w"), {}));
    QVERIFY(makeDirectories(m_path + "/step-08"));
    QVERIFY(makeDirectories(m_path + "/step--9"));
    QVERIFY(makeDirectories(m_path + "/step-99999999999999999999"));
    QVERIFY(durableReplace(m_path + "/notes.txt", "mine"));
    QVERIFY(durableReplace(m_path + "/step-7/.DS_Store", "theirs"));
    const auto loaded = store->loadNewest();
    QVERIFY(loaded && *loaded);
    QCOMPARE((*loaded)->step, 7);
    QVERIFY(exists(m_path + "/notes.txt"));
}

void FoldersTest::namesWithPathsAreRefused()
{
    for (const char* name : {"../x", "", ".", "..", "a/b", "manifest.json"})
        QVERIFY2(!commitFolder(m_path, "x", {{name, "1"}}, {}, IfCommitted::Keep), name);
    for (const char* name : {"../x", "", ".hidden", "a/b"})
        QVERIFY2(!commitFolder(m_path, name, {{"file", "1"}}, {}, IfCommitted::Keep), name);
    const auto cache = StageCache::open(m_path);
    for (const char* key : {"../x", "", ".trash-1", "a.tmp-1"}) QVERIFY2(!cache->load(key), key);
}

void FoldersTest::cacheKeepsTheFirstAndDropsTheDamaged()
{
    const auto cache = StageCache::open(m_path);
    QVERIFY(cache);
    QVERIFY(!cache->load("key")->has_value());
    QVERIFY(cache->store("key", {{"rows", "first"}}, {{"n", 1}}));
    const auto second = cache->store("key", {{"rows", "second"}}, {{"n", 2}});
    QVERIFY(second);
    QCOMPARE(second->meta["n"].get<int>(), 1);
    QCOMPARE((*cache->load("key"))->files.at("rows"), std::string("first"));
    QVERIFY(durableReplace(m_path + "/key/rows", "fjrst"));
    QVERIFY(!cache->load("key")->has_value());
    QVERIFY(!exists(m_path + "/key"));
    QVERIFY(cache->store("key", {{"rows", "third"}}, {}));
    QCOMPARE((*cache->load("key"))->files.at("rows"), std::string("third"));
}

void FoldersTest::cacheTrimsWhatWasUsedLongestAgo()
{
    const auto cache = StageCache::open(m_path);
    for (const char* key : {"a", "b", "c"}) {
        QVERIFY(cache->store(key, {{"rows", std::string_view("0123456789")}}, {}));
        QTest::qWait(20);
    }
    QVERIFY(cache->load("a")->has_value());
    const std::uint64_t entryBytes = 10 + readFile(m_path + "/a/manifest.json", 10000)->size();
    QVERIFY(cache->trim(2 * entryBytes));
    QVERIFY(cache->load("a")->has_value());
    QVERIFY(!cache->load("b")->has_value());
    QVERIFY(cache->load("c")->has_value());
    QVERIFY(cache->trim(0));
    QVERIFY(listDirectory(m_path)->empty());
}

QTEST_GUILESS_MAIN(FoldersTest)
#include "folders_test.moc"
