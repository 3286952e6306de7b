// Damage to a checkpoint is found, whichever byte of whichever file it hits, and the older checkpoint is taken.
#include "engine/formats/checkpoint_store.h"
#include "kernels/base/files.h"
#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <csignal>
#include <fstream>
#include <sys/wait.h>
#include <unistd.h>

using namespace millrace;
using namespace millrace::formats;

namespace {
constexpr int kDamages = 10'000;
constexpr int kKills = 200;

void overwrite(const std::string& path, const std::string& bytes)
{
    std::ofstream(path, std::ios::binary) << bytes;
}
} // namespace

class DamageTest : public QObject
{
    Q_OBJECT

private slots:
    void everySingleByteIsWatched();
    void randomDamageIsFoundAndTheOlderTaken();
    void killsAtRandomMomentsLeaveAWholeCheckpoint();
};

void DamageTest::everySingleByteIsWatched()
{
    const QTemporaryDir temporary;
    const std::string parent = temporary.path().toStdString(), folder = parent + "/x";
    QVERIFY(
        commitFolder(parent, "x", {{"a", "some bytes"}, {"b", ""}}, {{"epoch", 1}, {"text", "ü"}}, IfCommitted::Keep));
    for (const char* name : {"manifest.json", "a"}) {
        const std::string path = joinPath(folder, name);
        const std::string good = *readFile(path, 1u << 20);
        for (std::size_t i = 0; i < good.size(); ++i)
            for (const int flip : {0x01, 0x20, 0x80}) {
                std::string bad = good;
                bad[i] = static_cast<char>(bad[i] ^ flip);
                overwrite(path, bad);
                QVERIFY2(!loadFolder(folder), str(name, " byte ", i, " flipped by ", flip).c_str());
            }
        for (std::size_t length = 0; length < good.size(); ++length) {
            overwrite(path, good.substr(0, length));
            QVERIFY2(!loadFolder(folder), str(name, " cut to ", length).c_str());
        }
        overwrite(path, good + " ");
        QVERIFY(!loadFolder(folder));
        QVERIFY(removeAll(path));
        QVERIFY(!loadFolder(folder));
        overwrite(path, good);
        QVERIFY(loadFolder(folder));
    }
}

void DamageTest::randomDamageIsFoundAndTheOlderTaken()
{
    const QTemporaryDir temporary;
    const std::string folder = temporary.path().toStdString();
    auto store = CheckpointStore::open(folder);
    Random random(7, streamOf("damage"));
    std::string weights(20'000, '\0');
    for (char& c : weights) c = static_cast<char>(random.bits32());
    const std::string loader = R"({"epoch": 3})";
    QVERIFY(store->save(1, {{"weights", weights}, {"loader.json", loader}}, {}));
    QVERIFY(store->save(2, {{"weights", weights}, {"loader.json", loader}}, {{"step", 2}}));

    const std::vector<std::string> names{"weights", "loader.json", "manifest.json"};
    std::vector<std::string> good;
    for (const std::string& name : names) good.push_back(*readFile(joinPath(folder + "/step-2", name), 1u << 20));
    int found = 0;
    for (int i = 0; i < kDamages; ++i) {
        const std::size_t which = random.below(names.size());
        std::string bad = good[which];
        char& hit = bad[random.below(bad.size())];
        hit = static_cast<char>(hit ^ static_cast<char>(1 + random.below(255)));
        const std::string path = joinPath(folder + "/step-2", names[which]);
        overwrite(path, bad);
        const auto loaded = store->loadNewest();
        if (loaded && *loaded && (*loaded)->step == 1 && (*loaded)->notes.size() == 1) ++found;
        overwrite(path, good[which]);
    }
    QCOMPARE(found, kDamages);
    QCOMPARE((*store->loadNewest())->step, 2);
}

void DamageTest::killsAtRandomMomentsLeaveAWholeCheckpoint()
{
    const QTemporaryDir temporary;
    const std::string folder = temporary.path().toStdString();
    const auto contentOf = [](std::int64_t step) { return std::string(200'000, static_cast<char>('a' + step % 26)); };
    QVERIFY(CheckpointStore::open(folder)->save(0, {{"weights", contentOf(0)}}, {}));
    Random random(7, streamOf("kills"));
    std::int64_t last = 0;
    for (int i = 0; i < kKills; ++i) {
        const pid_t child = ::fork();
        if (child == 0) {
            auto store = CheckpointStore::open(folder);
            for (std::int64_t step = last + 1;; ++step)
                if (!store->save(step, {{"weights", contentOf(step)}}, {{"step", step}})) ::_exit(1);
        }
        ::usleep(static_cast<useconds_t>(random.below(8000)));
        ::kill(child, SIGKILL);
        int status = 0;
        ::waitpid(child, &status, 0);
        QVERIFY(WIFSIGNALED(status));
        const auto loaded = CheckpointStore::open(folder)->loadNewest();
        QVERIFY(loaded && *loaded);
        QVERIFY((*loaded)->notes.empty());
        QVERIFY((*loaded)->step >= last);
        last = (*loaded)->step;
        QVERIFY((*loaded)->folder.files.at("weights") == contentOf(last));
    }
    QVERIFY(last > 0);
}

QTEST_GUILESS_MAIN(DamageTest)
#include "damage_test.moc"
