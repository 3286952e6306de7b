// Ranks as real processes, of which one is killed or stopped in the middle: the others must name it in time. This
// program is the test and, called with "rank", one rank.
#include "engine/collective/gloo.h"
#include "kernels/base/hash.h"
#include "kernels/base/random.h"

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <array>
#include <csignal>
#include <iostream>

namespace millrace::collective {

using namespace std::chrono_literals;

namespace {

constexpr int kRanks = 3;
constexpr auto kSilence = 1500ms;

/// Sums again and again, a hash of each on a line, until an error ends it.
int runRank(int rank, const char* meetingFile)
{
    GroupSettings settings;
    settings.rank = rank;
    settings.worldSize = kRanks;
    settings.meetingFile = meetingFile;
    settings.silence = kSilence;
    auto group = createGlooGroup(settings);
    Status done = group ? Status() : Status(group.error());
    std::vector<float> values(300'000);
    for (std::uint64_t step = 0; done; ++step) {
        Random random(step, static_cast<std::uint64_t>(rank));
        for (float& value : values) value = static_cast<float>(random.uniformDouble());
        done = (*group)->allReduce(values);
        const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
        if (done) std::cout << sha256(bytes) << std::endl;
    }
    std::cout << "failed|" << codeName(done.error().code) << '|' << done.error().subject.host << '|'
              << done.error().message << std::endl;
    return 0;
}

} // namespace

class ProcessesTest : public QObject
{
    Q_OBJECT

private slots:
    void aLostRankIsNamedByTheOthers_data();
    void aLostRankIsNamedByTheOthers();
};

void ProcessesTest::aLostRankIsNamedByTheOthers_data()
{
    QTest::addColumn<int>("victim");
    QTest::addColumn<bool>("stopped");
    QTest::newRow("rank 0 is killed") << 0 << false;
    QTest::newRow("rank 2 is killed") << 2 << false;
    QTest::newRow("rank 0 is stopped") << 0 << true;
    QTest::newRow("rank 1 is stopped") << 1 << true;
}

void ProcessesTest::aLostRankIsNamedByTheOthers()
{
    QFETCH(const int, victim);
    QFETCH(const bool, stopped);
    const QTemporaryDir folder;
    std::array<QProcess, kRanks> ranks;
    for (int rank = 0; rank < kRanks; ++rank)
        ranks[static_cast<std::size_t>(rank)].start(
            QCoreApplication::applicationFilePath(),
            {QStringLiteral("rank"), QString::number(rank), folder.filePath(QStringLiteral("meeting"))});
    std::array<QByteArray, kRanks> said;
    for (std::size_t rank = 0; rank < kRanks; ++rank)
        while (said[rank].count('\n') < 3) {
            QVERIFY(ranks[rank].waitForReadyRead(20'000));
            said[rank] += ranks[rank].readAllStandardOutput();
        }
    QProcess& lost = ranks[static_cast<std::size_t>(victim)];
    QElapsedTimer timer;
    timer.start();
    QCOMPARE(::kill(static_cast<pid_t>(lost.processId()), stopped ? SIGSTOP : SIGKILL), 0);

    for (std::size_t rank = 0; rank < kRanks; ++rank) {
        if (static_cast<int>(rank) == victim) continue;
        QVERIFY(ranks[rank].waitForFinished(20'000));
        QVERIFY2(timer.elapsed() < (stopped ? 5000 : 2000), qPrintable(QString::number(timer.elapsed())));
        QCOMPARE(ranks[rank].exitStatus(), QProcess::NormalExit);
        said[rank] += ranks[rank].readAllStandardOutput();
        const QList<QByteArray> last = said[rank].trimmed().split('\n').last().split('|');
        QCOMPARE(last.size(), 4);
        QCOMPARE(last[1], stopped ? QByteArray("io") : QByteArray("process_died"));
        QCOMPARE(last[2], QByteArray("rank ") + QByteArray::number(victim));
        QVERIFY2(last[3].contains(stopped ? "gave no sign of life" : "has ended"), last[3].constData());
    }
    if (stopped) { // it goes on, and learns that the others have given it up
        QCOMPARE(::kill(static_cast<pid_t>(lost.processId()), SIGCONT), 0);
        QVERIFY(lost.waitForFinished(20'000));
        said[static_cast<std::size_t>(victim)] += lost.readAllStandardOutput();
        QVERIFY(said[static_cast<std::size_t>(victim)].contains("failed|"));
    }
    lost.waitForFinished(5000);
    const auto steps = [](const QByteArray& all) { return all.split('\n').mid(0, 3); };
    for (const QByteArray& all : said) QCOMPARE(steps(all), steps(said[0]));
}

} // namespace millrace::collective

int main(int argumentCount, char** arguments)
{
    if (argumentCount == 4 && std::string_view(arguments[1]) == "rank")
        return millrace::collective::runRank(std::atoi(arguments[2]), arguments[3]);
    const QCoreApplication application(argumentCount, arguments);
    millrace::collective::ProcessesTest test;
    return QTest::qExec(&test, argumentCount, arguments);
}
#include "processes_test.moc"
