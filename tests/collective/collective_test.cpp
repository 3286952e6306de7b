// Groups of ranks as threads over real connections: sums to the bit, shards, order, and what ranks say when one fails.
#include "ranks.h"

#include "engine/collective/judge.h"
#include "kernels/base/files.h"
#include "kernels/base/random.h"

#include <QTest>

#include <algorithm>
#include <fcntl.h>

namespace millrace::collective {

using namespace std::chrono_literals;
using Values = std::vector<float>;

namespace {

Values valuesOf(int rank, std::size_t size)
{
    Random random(11, static_cast<std::uint64_t>(rank));
    Values values(size);
    for (float& value : values) value = static_cast<float>(random.normal() * std::exp(5 * random.normal()));
    return values;
}

Values sumInOrder(int worldSize, std::size_t size)
{
    Values sum = valuesOf(0, size);
    for (int rank = 1; rank < worldSize; ++rank) {
        const Values more = valuesOf(rank, size);
        for (std::size_t i = 0; i < size; ++i) sum[i] += more[i];
    }
    return sum;
}

QString text(const Error& error)
{
    return QString::fromStdString(error.toString());
}

template <class T> QString problem(const Result<T>& result)
{
    return result ? QString() : text(result.error());
}

} // namespace

class CollectiveTest : public QObject
{
    Q_OBJECT

private slots:
    void shardsCoverTheSpan();
    void sumsHaveTheBitsOfTheRanksInOrder_data();
    void sumsHaveTheBitsOfTheRanksInOrder();
    void gatherAndBroadcastCarryBytes();
    void operationsRunInTheOrderOfTheirStart();
    void oneRankNeedsNoNetwork();
    void settingsThatCannotBeAreRefused();
    void aRankThatDoesNotComeIsNamed();
    void ranksThatContradictAreRefused();
    void anOldMeetingFileAndStrangersDoNoHarm();
    void aRankThatLeavesIsNamed();
    void aLivingRankThatDoesNotComeIsNamed();
    void theJudgeNamesTheRankAtFault();
};

void CollectiveTest::shardsCoverTheSpan()
{
    for (const int ranks : {1, 2, 3, 8})
        for (const std::size_t size : {0, 1, 16, 100, 1024, 100'003}) {
            std::size_t end = 0;
            for (int rank = 0; rank < ranks; ++rank) {
                const Shard shard = shardOf(size, ranks, rank);
                QCOMPARE(shard.begin, end);
                QCOMPARE(shard.begin % 16, std::size_t{0});
                end = shard.end;
            }
            QCOMPARE(end, size);
        }
    QCOMPARE(shardOf(1024, 4, 3).size(), std::size_t{256});
}

void CollectiveTest::sumsHaveTheBitsOfTheRanksInOrder_data()
{
    QTest::addColumn<int>("ranks");
    QTest::addColumn<int>("size");
    for (const int ranks : {2, 3, 4})
        for (const int size : {0, 1, 17, 1000, 400'001})
            QTest::addRow("%d ranks, %d values", ranks, size) << ranks << size;
}

void CollectiveTest::sumsHaveTheBitsOfTheRanksInOrder()
{
    QFETCH(const int, ranks);
    QFETCH(const int, size);
    const auto count = static_cast<std::size_t>(size);
    struct Sums
    {
        Values reduced, scattered;
    };
    const auto answers = test::onRanks(ranks, [&](Group& group) -> Result<Sums> {
        Sums sums{valuesOf(group.rank(), count), valuesOf(group.rank(), count)};
        MR_CHECK(group.allReduce(sums.reduced));
        MR_CHECK(group.reduceScatter(sums.scattered));
        MR_CHECK(group.barrier());
        return sums;
    });
    const Values expected = sumInOrder(ranks, count);
    for (int rank = 0; rank < ranks; ++rank) {
        const auto& answer = answers[static_cast<std::size_t>(rank)];
        QVERIFY2(answer, qPrintable(problem(answer)));
        QVERIFY(answer->reduced == expected);
        const Shard own = shardOf(count, ranks, rank);
        for (std::size_t i = own.begin; i < own.end; ++i) QCOMPARE(answer->scattered[i], expected[i]);
    }
}

void CollectiveTest::gatherAndBroadcastCarryBytes()
{
    constexpr std::size_t kSize = 1000;
    const auto answers = test::onRanks(3, [&](Group& group) -> Result<std::string> {
        std::vector<std::uint16_t> values(kSize, 0xFFFF);
        const Shard own = shardOf(kSize, 3, group.rank());
        for (std::size_t i = own.begin; i < own.end; ++i) values[i] = static_cast<std::uint16_t>(i * 7);
        MR_CHECK(group.wait(group.startAllGather(std::as_writable_bytes(std::span(values)), 2)));
        for (std::size_t i = 0; i < kSize; ++i)
            if (values[i] != i * 7) return std::string("gathered wrongly");
        std::string word = group.rank() == 2 ? "from rank two" : "             ";
        MR_CHECK(group.broadcast(std::as_writable_bytes(std::span(word)), 2));
        return word;
    });
    for (const auto& answer : answers) {
        QVERIFY2(answer, qPrintable(problem(answer)));
        QCOMPARE(*answer, std::string("from rank two"));
    }
}

void CollectiveTest::operationsRunInTheOrderOfTheirStart()
{
    constexpr std::size_t kMany = 50;
    const auto answers = test::onRanks(2, [&](Group& group) -> Result<bool> {
        std::vector<Values> all(kMany, Values(100, 1));
        std::vector<Ticket> tickets;
        for (auto& values : all) tickets.push_back(group.startAllReduce(values));
        Values& last = all.back();
        MR_CHECK(group.wait(tickets.back()));
        const Ticket again = group.startAllReduce(last); // reads what the operation before wrote
        for (const Ticket ticket : tickets) MR_CHECK(group.wait(ticket));
        MR_CHECK(group.wait(again));
        const bool twice = std::ranges::all_of(std::span(all).first(kMany - 1), [](const Values& values) {
            return std::ranges::all_of(values, [](float value) { return value == 2; });
        });
        return twice && last[99] == 4 && group.members()[0].silent < 10s;
    });
    for (const auto& answer : answers) {
        QVERIFY2(answer, qPrintable(problem(answer)));
        QVERIFY(*answer);
    }
}

void CollectiveTest::oneRankNeedsNoNetwork()
{
    auto group = createGlooGroup({});
    QVERIFY(group);
    Values values{1, 2, 3};
    QVERIFY((*group)->allReduce(values));
    QVERIFY((*group)->reduceScatter(values));
    QVERIFY((*group)->allGather(values));
    QVERIFY((*group)->barrier());
    QCOMPARE(values, (Values{1, 2, 3}));
    QCOMPARE((*group)->worldSize(), 1);
    QVERIFY((*group)->memory() == Memory::Host);
}

void CollectiveTest::settingsThatCannotBeAreRefused()
{
    GroupSettings settings{.rank = 2, .worldSize = 2, .meetingFile = "x"};
    QCOMPARE(createGlooGroup(settings).error().code, Code::InvalidArgument);
    settings = {.rank = 0, .worldSize = 2, .meetingFile = ""};
    QCOMPARE(createGlooGroup(settings).error().code, Code::InvalidArgument);
    settings = {.rank = 0, .worldSize = 0, .meetingFile = ""};
    QCOMPARE(createGlooGroup(settings).error().code, Code::InvalidArgument);
}

void CollectiveTest::aRankThatDoesNotComeIsNamed()
{
    const QTemporaryDir folder;
    std::vector<Error> errors(2);
    {
        std::vector<std::jthread> threads;
        for (const int rank : {0, 2})
            threads.emplace_back([&, rank] {
                auto settings = test::settingsOf(rank, 3, folder);
                settings.join = 500ms;
                auto group = createGlooGroup(settings);
                errors[static_cast<std::size_t>(rank / 2)] = group ? makeError(Code::Internal, "made") : group.error();
            });
    }
    for (const Error& error : errors) {
        QCOMPARE(error.code, Code::Io);
        QVERIFY2(error.message.starts_with("Rank 1 did not come within 0.5 s; 2 of 3 ranks"), qPrintable(text(error)));
    }
    auto alone = test::settingsOf(1, 2, folder);
    alone.join = 100ms;
    const auto group = createGlooGroup(alone);
    QVERIFY(!group);
    QVERIFY2(group.error().message.starts_with("Rank 0 did not invite"), qPrintable(text(group.error())));
}

void CollectiveTest::ranksThatContradictAreRefused()
{
    const QTemporaryDir folder;
    std::vector<Error> errors(2);
    {
        std::vector<std::jthread> threads;
        for (const int rank : {0, 1})
            threads.emplace_back([&, rank] {
                auto group = createGlooGroup(test::settingsOf(rank, 2 + rank, folder));
                errors[static_cast<std::size_t>(rank)] = group ? makeError(Code::Internal, "made") : group.error();
            });
    }
    for (const Error& error : errors) {
        QCOMPARE(error.code, Code::InvalidArgument);
        QCOMPARE(error.message, std::string("Rank 1 counts 3 ranks, rank 0 counts 2."));
    }
}

void CollectiveTest::anOldMeetingFileAndStrangersDoNoHarm()
{
    const QTemporaryDir folder;
    const std::string path = test::settingsOf(0, 2, folder).meetingFile;
    QVERIFY(durableReplace(path, "127.0.0.1 1 0123456789abcdef\n"));
    std::vector<Status> done(2);
    {
        std::vector<std::jthread> threads;
        for (const int rank : {1, 0}) {
            threads.emplace_back([&, rank] {
                auto group = createGlooGroup(test::settingsOf(rank, 2, folder));
                Values values{1};
                done[static_cast<std::size_t>(rank)] = group ? (*group)->allReduce(values) : Status(group.error());
            });
            if (rank == 1) std::this_thread::sleep_for(100ms); // it meets the old file first
        }
        for (int tries = 0; tries < 1000; ++tries) { // a stranger that finds the port, but not the word
            const auto invitation = readFile(path, 4096);
            const auto words = invitation ? QString::fromStdString(*invitation).split(QLatin1Char(' ')) : QStringList();
            if (words.size() != 3 || words[1].toInt() == 1) continue;
            auto stranger = Connection::connect("127.0.0.1", words[1].toInt(), Clock::now() + 1s);
            if (stranger) QVERIFY(stranger->send("hello nobody 1 2"));
            break;
        }
    }
    for (const Status& status : done) QVERIFY2(status, qPrintable(problem(status)));
    QVERIFY(!exists(path));
}

void CollectiveTest::aRankThatLeavesIsNamed()
{
    const auto answers = test::onRanks(3, [](Group& group) -> Status {
        Values values(1000, 1);
        MR_CHECK(group.allReduce(values));
        if (group.rank() == 1) return {};
        MR_CHECK(group.allReduce(values));
        return makeError(Code::Internal, "went on");
    });
    QVERIFY(answers[1]);
    for (const std::size_t rank : {0U, 2U}) {
        const Error& error = answers[rank].error();
        QCOMPARE(error.code, Code::ProcessDied);
        QCOMPARE(error.subject.host, std::string("rank 1"));
        QVERIFY2(error.message.starts_with("Rank 1 left the group after operation 1"), qPrintable(text(error)));
    }
}

void CollectiveTest::aLivingRankThatDoesNotComeIsNamed()
{
    const QTemporaryDir folder;
    std::vector<Status> done(3);
    {
        std::vector<std::jthread> threads;
        for (int rank = 0; rank < 3; ++rank)
            threads.emplace_back([&, rank] {
                auto settings = test::settingsOf(rank, 3, folder);
                settings.silence = 400ms;
                settings.operation = 500ms;
                auto group = createGlooGroup(settings);
                Values values(10, 1);
                if (group && rank == 2) std::this_thread::sleep_for(1500ms);
                done[static_cast<std::size_t>(rank)] = group ? (*group)->allReduce(values) : Status(group.error());
            });
    }
    for (const Status& status : done) {
        QVERIFY(!status);
        QCOMPARE(status.error().subject.host, std::string("rank 2"));
        QVERIFY2(status.error().message.starts_with("Rank 2 lives but has not come to operation 1"),
                 qPrintable(text(status.error())));
    }
}

void CollectiveTest::theJudgeNamesTheRankAtFault()
{
    const GroupSettings settings{.worldSize = 3, .meetingFile = "x", .silence = 10s, .operation = 60s};
    const Clock::time_point start{};
    const auto judgeWith = [&](auto... beats) {
        Judge judge(settings, start);
        int rank = 0;
        (judge.heard(rank++, beats, start), ...);
        return judge;
    };
    const auto message = [](std::optional<Error> verdict) { return verdict ? verdict->message : std::string(); };

    Judge quiet = judgeWith(Beat{4, 4}, Beat{4, 4}, Beat{4, 4});
    QCOMPARE(message(quiet.verdict(start + 10s)), std::string());
    quiet.heard(0, {4, 4}, start + 10s);
    quiet.heard(2, {4, 4}, start + 10s);
    QVERIFY(message(quiet.verdict(start + 11s)).starts_with("Rank 1 gave no sign of life for 11 s"));
    QVERIFY(quiet.members(start + 11s)[1].lost);

    // a connection that broke is only the reason where nothing better shows within a second
    Judge broken = judgeWith(Beat{5, 4}, Beat{5, 4}, Beat{5, 4});
    broken.reported(0, 1, "closed by peer", start);
    QCOMPARE(message(broken.verdict(start + 500ms)), std::string());
    Judge killed = broken;
    killed.ended(2);
    QVERIFY(message(killed.verdict(start + 600ms)).starts_with("Rank 2 has ended"));
    QCOMPARE(message(broken.verdict(start + 1100ms)),
             std::string("Rank 1 lost its connection to rank 0: closed by peer"));

    // all have come, but data are missing
    Judge stuck = judgeWith(Beat{5, 4, 2}, Beat{5, 4, 2}, Beat{5, 5, -1});
    for (int rank = 0; rank < 3; ++rank) stuck.heard(rank, rank == 2 ? Beat{5, 5, -1} : Beat{5, 4, 2}, start + 61s);
    QVERIFY(message(stuck.verdict(start + 61s)).starts_with("Rank 2 lives, but rank 0 has got none of its data"));

    Judge leaving = judgeWith(Beat{5, 5}, Beat{5, 5}, Beat{5, 5});
    leaving.left(1, 5);
    leaving.ended(1);
    QCOMPARE(message(leaving.verdict(start + 1s)), std::string());
}

} // namespace millrace::collective

QTEST_GUILESS_MAIN(millrace::collective::CollectiveTest)
#include "collective_test.moc"
