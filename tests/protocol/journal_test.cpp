// The journal: torn at every byte, resumed, read while it grows, damaged, and on a full disk.
#include "engine/protocol/journal.h"
#include "kernels/base/text.h"
#include "kernels/base/units.h"

#include <QTemporaryDir>
#include <QtTest>
#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <thread>

using namespace millrace;
using namespace millrace::protocol;

class ProtocolJournalTest : public QObject
{
    Q_OBJECT

private slots:
    void init();
    void seqHasNoGapsAcrossResumes();
    void tornAtEveryByteTheWholeLinesStay();
    void aGrowingJournalIsReadLineByLine();
    void readingGoesOnFromAnOffset();
    void theLimitIsKept();
    void damageIsNamedAfterTheLinesBeforeIt();
    void aGapIsDamage();
    void aShrunkJournalIsDamage();
    void aLineWithoutEndIsBounded();
    void linesLongerThanABlockAreRead();
    void aFailedWriteIsTakenBack();
    void aWriterAndAReaderAtOnce();

private:
    std::string path() const { return m_folder->filePath(QStringLiteral("journal.jsonl")).toStdString(); }
    std::string content() const { return *readFile(path(), 1u << 26); }
    void replace(std::string_view bytes) const { QVERIFY(durableReplace(path(), bytes).has_value()); }
    void write(int count) const;

    std::unique_ptr<QTemporaryDir> m_folder;
};

void ProtocolJournalTest::init()
{
    m_folder = std::make_unique<QTemporaryDir>();
}

void ProtocolJournalTest::write(int count) const
{
    auto writer = JournalWriter::open(path());
    QVERIFY(writer.has_value());
    for (int i = 0; i < count; ++i)
        QVERIFY(writer->append("log", {{"level", "info"}, {"text", str("line ", writer->lastSeq() + 1)}}).has_value());
    QVERIFY(writer->sync().has_value());
}

void ProtocolJournalTest::seqHasNoGapsAcrossResumes()
{
    for (int i = 0; i < 4; ++i) {
        write(5);
        QTest::qSleep(3);
    }
    const auto events = JournalReader(path()).readNew();
    QVERIFY(events.has_value());
    QCOMPARE(events->size(), std::size_t{20});
    std::int64_t monotonic = 0;
    for (std::size_t i = 0; i < events->size(); ++i) {
        const Event& event = (*events)[i];
        QCOMPARE(event.seq, static_cast<std::int64_t>(i + 1));
        QVERIFY(event.monotonicMs >= monotonic);
        monotonic = event.monotonicMs;
        QVERIFY(event.timeMs <= unixMilliseconds());
    }
    // the time between two runners is no work
    QVERIFY(monotonic < 1000);
}

void ProtocolJournalTest::tornAtEveryByteTheWholeLinesStay()
{
    write(3);
    const std::string whole = content();
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        const std::string torn = whole.substr(0, size);
        replace(torn);
        const auto lines = static_cast<std::size_t>(std::count(torn.begin(), torn.end(), '\n'));
        const auto before = JournalReader(path()).readNew();
        QVERIFY(before.has_value());
        QCOMPARE(before->size(), lines);
        write(1);
        JournalReader reader(path());
        const auto after = reader.readNew();
        QVERIFY2(after.has_value(), after ? "" : after.error().toString().c_str());
        QCOMPARE(after->size(), lines + 1);
        QCOMPARE(after->back().seq, static_cast<std::int64_t>(lines + 1));
        QCOMPARE(reader.offset(), content().size());
    }
}

void ProtocolJournalTest::aGrowingJournalIsReadLineByLine()
{
    write(3);
    const std::string whole = content();
    QVERIFY(removeAll(path()).has_value());
    JournalReader reader(path());
    QVERIFY(reader.readNew()->empty());
    auto file = FileHandle::open(path(), O_WRONLY | O_CREAT | O_APPEND);
    std::size_t seen = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
        QVERIFY(file->writeAll(whole.substr(i, 1)).has_value());
        const auto events = reader.readNew();
        QVERIFY(events.has_value());
        QCOMPARE(events->size(), std::size_t{whole[i] == '\n'});
        seen += events->size();
    }
    QCOMPARE(seen, std::size_t{3});
    QCOMPARE(reader.offset(), whole.size());
}

void ProtocolJournalTest::readingGoesOnFromAnOffset()
{
    write(4);
    JournalReader first(path());
    QVERIFY(first.readNew().has_value());
    write(2);
    JournalReader second(path(), first.offset(), first.lastSeq());
    QCOMPARE(second.readNew()->front().seq, std::int64_t{5});
    JournalReader withoutSeq(path(), first.offset());
    QCOMPARE(withoutSeq.readNew()->front().seq, std::int64_t{5});
    JournalReader wrong(path(), first.offset(), 2);
    QCOMPARE(wrong.readNew().error().code, Code::Corrupt);
}

void ProtocolJournalTest::theLimitIsKept()
{
    write(25);
    JournalReader reader(path());
    QCOMPARE(reader.readNew(10)->size(), std::size_t{10});
    QCOMPARE(reader.readNew(10)->size(), std::size_t{10});
    QCOMPARE(reader.readNew(10)->size(), std::size_t{5});
    QCOMPARE(reader.readNew(10)->size(), std::size_t{0});
}

void ProtocolJournalTest::damageIsNamedAfterTheLinesBeforeIt()
{
    write(3);
    std::string bytes = content();
    const std::size_t second = bytes.find('\n') + 1;
    bytes[second] = 'x';
    replace(bytes);
    JournalReader reader(path());
    QCOMPARE(reader.readNew()->size(), std::size_t{1});
    for (int i = 0; i < 2; ++i) {
        const auto damaged = reader.readNew();
        QCOMPARE(damaged.error().code, Code::Corrupt);
        QVERIFY(damaged.error().message.find(str("byte ", second)) != std::string::npos);
        QCOMPARE(damaged.error().subject.file, path());
    }
    replace(content() + "no event\n");
    QCOMPARE(JournalWriter::open(path()).error().code, Code::Corrupt);
    QVERIFY(content().ends_with("no event\n")); // a whole line is never cut off
}

void ProtocolJournalTest::aGapIsDamage()
{
    replace("{\"seq\":1,\"t\":0,\"kind\":\"log\"}\n{\"seq\":3,\"t\":0,\"kind\":\"log\"}\n");
    JournalReader reader(path());
    QCOMPARE(reader.readNew()->size(), std::size_t{1});
    QVERIFY(reader.readNew().error().message.ends_with("event 3 follows event 1."));
    replace("{\"seq\":2,\"t\":0,\"kind\":\"log\"}\n");
    QCOMPARE(JournalReader(path()).readNew().error().code, Code::Corrupt);
}

void ProtocolJournalTest::aShrunkJournalIsDamage()
{
    write(3);
    JournalReader reader(path());
    QCOMPARE(reader.readNew()->size(), std::size_t{3});
    replace(content().substr(0, 20));
    QCOMPARE(reader.readNew().error().code, Code::Corrupt);
}

void ProtocolJournalTest::aLineWithoutEndIsBounded()
{
    replace(std::string(kMaximumLineBytes + 1, 'x'));
    QCOMPARE(JournalReader(path()).readNew().error().code, Code::Corrupt);
    auto writer = JournalWriter::open(path());
    QVERIFY(writer.has_value()); // it is a torn tail
    QCOMPARE(writer->append("log", {{"text", std::string(kMaximumLineBytes, 'x')}}).error().code, Code::TooLarge);
    QVERIFY(writer->append("log", {{"text", "short"}}).has_value());
    QCOMPARE(JournalReader(path()).readNew()->front().seq, std::int64_t{1});
}

void ProtocolJournalTest::linesLongerThanABlockAreRead()
{
    {
        auto writer = JournalWriter::open(path());
        for (int i = 0; i < 3; ++i) QVERIFY(writer->append("log", {{"text", std::string(900'000, 'x')}}).has_value());
    }
    QCOMPARE(JournalReader(path()).readNew()->size(), std::size_t{3});
    write(1);
    QCOMPARE(JournalReader(path()).readNew()->back().seq, std::int64_t{4});
}

void ProtocolJournalTest::aFailedWriteIsTakenBack()
{
    write(1);
    auto writer = JournalWriter::open(path());
    const std::size_t size = content().size();
    // a file size limit fails as a full disk does: the first bytes are written, the rest is not
    struct rlimit before
    {
    };
    ::getrlimit(RLIMIT_FSIZE, &before);
    ::signal(SIGXFSZ, SIG_IGN);
    const struct rlimit small
    {
        size + 10, before.rlim_max
    };
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto failed = writer->append("log", {{"text", "does not fit"}});
    QCOMPARE(::setrlimit(RLIMIT_FSIZE, &before), 0);
    QVERIFY(!failed);
    QCOMPARE(content().size(), size);
    QVERIFY(writer->append("log", {{"text", "fits again"}}).has_value());
    QCOMPARE(JournalReader(path()).readNew()->back().seq, std::int64_t{2});
}

void ProtocolJournalTest::aWriterAndAReaderAtOnce()
{
    constexpr std::int64_t kEvents = 5000;
    std::jthread thread([file = path()] {
        auto writer = JournalWriter::open(file);
        for (std::int64_t i = 0; i < kEvents; ++i)
            if (!writer->append("log", {{"text", std::string(static_cast<std::size_t>(i % 200), 'x')}})) return;
    });
    JournalReader reader(path());
    std::int64_t last = 0;
    QElapsedTimer timer;
    timer.start();
    while (last < kEvents && timer.elapsed() < 20'000) {
        const auto events = reader.readNew();
        QVERIFY2(events.has_value(), events ? "" : events.error().toString().c_str());
        for (const Event& event : *events) QCOMPARE(event.seq, ++last);
    }
    QCOMPARE(last, kEvents);
}

QTEST_GUILESS_MAIN(ProtocolJournalTest)
#include "journal_test.moc"
