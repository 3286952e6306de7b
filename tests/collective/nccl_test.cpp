// The device group's logic against a simulated NCCL: what it computes, in which order it orders streams, and what it
// says when NCCL, a rank or a library fails.
#include "ranks.h"
#include "simulated_nccl.h"

#include "kernels/base/random.h"

#include <QTest>

#include <algorithm>

namespace millrace::collective {

using namespace std::chrono_literals;
using Values = std::vector<float>;

namespace {

Values valuesOf(int rank, std::size_t size)
{
    Random random(5, static_cast<std::uint64_t>(rank));
    Values values(size);
    for (float& value : values) value = static_cast<float>(random.normal());
    return values;
}

template <class T> QString problem(const Result<T>& result)
{
    return result ? QString() : QString::fromStdString(result.error().toString());
}

/// As test::onRanks, with device groups. `settle` is called on the settings.
template <class Function> std::vector<Status> onDevices(int worldSize, Function function)
{
    const QTemporaryDir folder;
    std::vector<Status> answers(static_cast<std::size_t>(worldSize));
    {
        std::vector<std::jthread> threads;
        for (int rank = 0; rank < worldSize; ++rank)
            threads.emplace_back([&, rank] {
                auto settings = test::settingsOf(rank, worldSize, folder);
                settings.join = 1s;
                settings.silence = 800ms;
                auto group = createNcclGroup(settings, {}, test::simulatedNccl());
                answers[static_cast<std::size_t>(rank)] = group ? function(**group) : Status(group.error());
            });
    }
    return answers;
}

} // namespace

class NcclTest : public QObject
{
    Q_OBJECT

private slots:
    void init() { m_world = &test::resetSimulatedNccl(); }
    void operationsComputeWhatTheHostGroupComputes_data();
    void operationsComputeWhatTheHostGroupComputes();
    void streamsAreOrderedAroundAnOperation();
    void oneRankWorksWithAndWithoutACommunicator();
    void aFailedConnectionIsReported_data();
    void aFailedConnectionIsReported();
    void anErrorOfARankEndsAllAndNamesIt();
    void aRankThatLeavesEndsWhatWaitsForIt();
    void missingLibrariesAreNamed();

private:
    test::SimulatedNccl* m_world = nullptr;
};

void NcclTest::operationsComputeWhatTheHostGroupComputes_data()
{
    QTest::addColumn<int>("ranks");
    QTest::addColumn<int>("size");
    for (const int ranks : {2, 3})
        for (const int size : {1, 31, 96, 1000}) QTest::addRow("%d ranks, %d values", ranks, size) << ranks << size;
}

void NcclTest::operationsComputeWhatTheHostGroupComputes()
{
    QFETCH(const int, ranks);
    QFETCH(const int, size);
    const auto count = static_cast<std::size_t>(size);
    Values sum = valuesOf(0, count);
    for (int rank = 1; rank < ranks; ++rank)
        std::ranges::transform(sum, valuesOf(rank, count), sum.begin(), std::plus());
    const auto answers = onDevices(ranks, [&](Group& group) -> Status {
        Values reduced = valuesOf(group.rank(), count), sharded = reduced;
        MR_CHECK(group.allReduce(reduced));
        MR_CHECK(group.reduceScatter(sharded));
        const Shard own = shardOf(count, ranks, group.rank());
        for (std::size_t i = own.begin; i < own.end; ++i)
            if (sharded[i] != sum[i]) return makeError(Code::Internal, "scattered wrongly");
        MR_CHECK(group.allGather(sharded));
        float word = group.rank() == 1 ? 7.0F : 0.0F;
        MR_CHECK(group.broadcast(std::as_writable_bytes(std::span(&word, 1)), 1));
        MR_CHECK(group.barrier());
        MR_CHECK(group.status());
        const bool right = reduced == sum && sharded == sum && word == 7 && group.memory() == Memory::Device &&
                           group.members().size() == static_cast<std::size_t>(ranks);
        return right ? Status() : Status(makeError(Code::Internal, "computed wrongly"));
    });
    for (const Status& answer : answers) QVERIFY2(answer, qPrintable(problem(answer)));
    QCOMPARE(m_world->aborted, 0);
    QCOMPARE(m_world->destroyed, ranks);
}

void NcclTest::streamsAreOrderedAroundAnOperation()
{
    auto group = createNcclGroup({}, {.stream = reinterpret_cast<void*>(1), .evenAlone = true}, test::simulatedNccl());
    QVERIFY2(group, qPrintable(problem(group)));
    m_world->record = true;
    Values values(100, 1);
    const Ticket ticket = (*group)->startReduceScatter(values);
    QVERIFY((*group)->wait(ticket));
    const std::vector<std::string> expected{
        "rank's stream is recorded", "own stream waits",   "groupStart", "reduceScatter", "groupEnd",
        "own stream is recorded",    "rank's stream waits"};
    QCOMPARE(m_world->calls, expected);
}

void NcclTest::oneRankWorksWithAndWithoutACommunicator()
{
    for (const bool evenAlone : {false, true}) {
        auto group = createNcclGroup({}, {.stream = nullptr, .evenAlone = evenAlone}, test::simulatedNccl());
        QVERIFY2(group, qPrintable(problem(group)));
        Values values = valuesOf(0, 50);
        QVERIFY((*group)->allReduce(values));
        QVERIFY((*group)->reduceScatter(values));
        QVERIFY((*group)->allGather(values));
        QVERIFY((*group)->barrier());
        QVERIFY((*group)->status());
        QCOMPARE(values, valuesOf(0, 50));
        group->reset();
        QCOMPARE(m_world->destroyed, evenAlone ? 1 : 0);
    }
    const auto plain = createNcclGroup({}, NcclSettings{}); // with neither library nor driver
    QVERIFY2(plain, qPrintable(problem(plain)));
}

void NcclTest::aFailedConnectionIsReported_data()
{
    QTest::addColumn<int>("fault");
    QTest::addColumn<QString>("message");
    QTest::newRow("at once") << 0 << "NCCL cannot connect the ranks: some error: the simulation's reason.";
    QTest::newRow("later") << 1 << "NCCL cannot connect the ranks: some error: the simulation's reason.";
    QTest::newRow("never done") << 2 << "NCCL did not connect the ranks in time.";
    QTest::newRow("too old") << 3 << "NCCL 2.14 or newer is needed, and libnccl.so.2 is of version 2.12.";
    QTest::newRow("no event") << 4 << "Cannot make an event: out of memory (CUDA error 2).";
}

void NcclTest::aFailedConnectionIsReported()
{
    QFETCH(const int, fault);
    QFETCH(const QString, message);
    if (fault == 0) m_world->initResult = ncclInvalidArgument;
    if (fault == 1) m_world->initEnds = ncclInternalError;
    if (fault == 2) m_world->initEnds = ncclInProgress;
    if (fault == 3) m_world->version = 21200;
    if (fault == 4) m_world->eventCreationFails = true;
    GroupSettings settings;
    settings.join = 100ms;
    const auto group = createNcclGroup(settings, {.stream = nullptr, .evenAlone = true}, test::simulatedNccl());
    QVERIFY(!group);
    QCOMPARE(QString::fromStdString(group.error().message), message);
    QCOMPARE(m_world->aborted, fault == 1 || fault == 2 ? 1 : 0);
}

void NcclTest::anErrorOfARankEndsAllAndNamesIt()
{
    m_world->brokenRank = 1;
    m_world->breakAfter = 3;
    const auto answers = onDevices(3, [](Group& group) -> Status {
        Values values(100, 1);
        for (int step = 0; step < 10; ++step) MR_CHECK(group.allReduce(values));
        return {};
    });
    for (const Status& answer : answers) QVERIFY(!answer);
    const std::string own = "NCCL cannot start an operation: some error: the simulation's reason.";
    QCOMPARE(answers[1].error().message, own);
    for (const std::size_t rank : {0U, 2U}) {
        QCOMPARE(answers[rank].error().message, "Rank 1 has failed: " + own);
        QCOMPARE(answers[rank].error().subject.host, std::string("rank 1"));
    }
    QCOMPARE(test::abortedCommunicators(), 3);
}

void NcclTest::aRankThatLeavesEndsWhatWaitsForIt()
{
    const auto answers = onDevices(3, [](Group& group) -> Status {
        Values values(100, 1);
        MR_CHECK(group.allReduce(values));
        if (group.rank() == 2) return {};
        return group.allReduce(values);
    });
    QVERIFY(answers[2]);
    for (const std::size_t rank : {0U, 1U}) {
        QVERIFY(!answers[rank]);
        QVERIFY2(answers[rank].error().message.starts_with("Rank 2 left the group after operation 1"),
                 qPrintable(problem(answers[rank])));
    }
    QCOMPARE(test::abortedCommunicators(), 2);
}

void NcclTest::missingLibrariesAreNamed()
{
    const auto noNccl = loadNccl("libnccl-that-is-not-there.so.2");
    QCOMPARE(noNccl.error().code, Code::Unsupported);
    QVERIFY2(noNccl.error().message.find("libnccl-that-is-not-there.so.2, which is missing") != std::string::npos,
             noNccl.error().message.c_str());
    QVERIFY2(noNccl.error().advice.find("libnccl2") != std::string::npos, noNccl.error().advice.c_str());
    const auto another = loadNccl("libc.so.6"); // a library, but not this one
    QCOMPARE(another.error().message, std::string("libc.so.6 has no function ncclGetVersion: it is too old."));
}

} // namespace millrace::collective

QTEST_GUILESS_MAIN(millrace::collective::NcclTest)
#include "nccl_test.moc"
