// Trainings on the device in a group of ranks: one rank, with NCCL itself where a GPU is; and two of which the other
// has the same rows, played by a group that doubles.
#include "engine/collective/nccl.h"
#include "engine/pipeline/model_builder.h"
#include "engine/train/stepper.h"
#include "tests/cuda/test_device.h"
#include "tests/oracle/training/training_case.h"

#include <QtTest>

#include <functional>

using namespace millrace;
using collective::Group;
using collective::Memory;
using collective::Ticket;

namespace {

/// Two ranks that always have the same; sums are enqueued like those of NCCL.
class DoublingGroup : public Group
{
public:
    explicit DoublingGroup(kernels::Device& device) : Group(0, 2), m_device(device) {}
    Memory memory() const override { return Memory::Device; }
    Ticket startAllReduce(std::span<float> values) override
    {
        m_device.scale(values.data(), 2, values.size());
        return {};
    }
    Ticket startReduceScatter(std::span<float> values) override { return startAllReduce(values); }
    Ticket startAllGather(std::span<std::byte>, std::size_t) override { return {}; }
    Ticket startBroadcast(std::span<std::byte>, int) override { return {}; }
    Status wait(Ticket) override { return {}; }
    Status status() override { return failure ? Status(*failure) : Status(); }
    Status barrier() override { return {}; }
    std::vector<collective::Member> members() const override { return {}; }

    std::optional<Error> failure;

private:
    kernels::Device& m_device;
};

struct Outcome
{
    std::map<std::string, std::vector<std::byte>> kept;
    std::vector<double> losses;
};

using Change = std::function<void(train::StepSettings&)>;

/// Six steps of the first case of the file, more than there are slots.
Result<Outcome> trained(const char* file, std::shared_ptr<kernels::Device> device, const train::Ranks& ranks,
                        const Change& change)
{
    MR_TRY(auto cases, oracle::readTrainingCases(std::string(MILLRACE_SOURCE_DIR "/tests/oracle/training/") + file));
    oracle::TrainingCase training = cases.front();
    training.settings.device = std::move(device);
    change(training.settings);
    training.settings.ranks = ranks;
    const auto catalogue = pipeline::Catalogue::create();
    MR_TRY(const auto layers, pipeline::expandModel(training.model, catalogue, training.schema));
    const train::TrainingModel model{layers, catalogue, training.schema, training.loss, training.options};
    MR_TRY(auto stepper,
           train::Stepper::create(model, training.settings, {training.batch / training.settings.accumulation}));
    oracle::fillWeights(*stepper->weights());
    MR_CHECK(stepper->weights()->publish());
    oracle::FormulaRows rows(training);
    for (std::int64_t step = 0; step < 6; ++step) {
        rows.draw(step);
        MR_CHECK(stepper->step(rows, step, training.learningRate));
    }
    MR_CHECK(stepper->finish());
    Outcome outcome;
    for (;;) {
        MR_TRY(const auto figures, stepper->figures());
        if (!figures) break;
        outcome.losses.push_back(figures->loss);
    }
    MR_TRY(const auto all, stepper->state());
    for (const auto& [name, bytes] : all)
        if (name != "scale") // f16's: its counter is each rank's own
            outcome.kept[name].assign(bytes.begin(), bytes.end());
    return outcome;
}

template <class T> QString problem(const Result<T>& result)
{
    return result ? QString() : QString::fromStdString(result.error().toString());
}

} // namespace

class CudaRanksTest : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase()
    {
        auto device = test::openTestDevice();
        MR_REQUIRE_DEVICE(device);
    }
    void init()
    {
        m_device.reset();
        auto device = test::openTestDevice();
        QVERIFY2(device, qPrintable(problem(device)));
        m_device = std::move(*device);
    }
    void aGroupOfOneChangesNoBit_data();
    void aGroupOfOneChangesNoBit();
    void twoAlikeTrainLikeOne_data();
    void twoAlikeTrainLikeOne();
    void whatWorksOnOneGpuAloneIsRefused();
    void aGroupThatFailedEndsTheTraining();

private:
    std::shared_ptr<kernels::Device> m_device;
};

void CudaRanksTest::aGroupOfOneChangesNoBit_data()
{
    QTest::addColumn<bool>("nccl");
    QTest::addColumn<bool>("shards");
    QTest::addColumn<int>("parts");
    QTest::addColumn<QString>("precision");
#ifdef MILLRACE_SIMULATED
    const std::vector<bool> groups{false}; // the real driver does not know a simulated stream
#else
    const std::vector<bool> groups{false, true};
#endif
    for (const bool nccl : groups)
        for (const bool shards : {false, true})
            for (const int parts : {1, 2})
                for (const char* precision : {"f32", "bf16"})
                    QTest::addRow("%s%s, %d parts, %s", nccl ? "NCCL" : "no network", shards ? ", shards" : "", parts,
                                  precision)
                        << nccl << shards << parts << QString::fromLatin1(precision);
}

void CudaRanksTest::aGroupOfOneChangesNoBit()
{
    QFETCH(const bool, nccl);
    QFETCH(const bool, shards);
    QFETCH(const int, parts);
    QFETCH(const QString, precision);
    const Change change = [&](train::StepSettings& settings) {
        settings.accumulation = parts;
        settings.precision = precision.toStdString();
        settings.clipNorm = 0.5;
        settings.average = 0.9;
    };
    auto group = collective::createNcclGroup({}, {.stream = m_device->stream(), .evenAlone = nccl});
    if (!group && nccl && group.error().code == Code::Unsupported) QSKIP(qPrintable(problem(group)));
    QVERIFY2(group, qPrintable(problem(group)));
    const train::Ranks ranks{std::move(group).value(), shards, 4096};
    const auto alone = trained("mlp.txt", m_device, {}, change);
    const auto together = trained("mlp.txt", m_device, ranks, change);
    QVERIFY2(alone, qPrintable(problem(alone)));
    QVERIFY2(together, qPrintable(problem(together)));
    QCOMPARE(together->losses, alone->losses);
    QVERIFY(together->kept == alone->kept);
}

void CudaRanksTest::twoAlikeTrainLikeOne_data()
{
    QTest::addColumn<QString>("precision");
    QTest::addColumn<int>("parts");
    QTest::newRow("f32") << QStringLiteral("f32") << 1;
    QTest::newRow("f32 in parts") << QStringLiteral("f32") << 2;
    QTest::newRow("f16") << QStringLiteral("f16") << 1;
}

void CudaRanksTest::twoAlikeTrainLikeOne()
{
    QFETCH(const QString, precision);
    QFETCH(const int, parts);
    const Change change = [&](train::StepSettings& settings) {
        settings.accumulation = parts;
        settings.precision = precision.toStdString();
        settings.clipNorm = 0.5;
    };
    const auto alone = trained("lenet.txt", m_device, {}, change);
    const auto together =
        trained("lenet.txt", m_device, {std::make_shared<DoublingGroup>(*m_device), false, 4096}, change);
    QVERIFY2(alone, qPrintable(problem(alone)));
    QVERIFY2(together, qPrintable(problem(together)));
    QCOMPARE(together->losses, alone->losses);
    QVERIFY(together->kept == alone->kept);
}

void CudaRanksTest::whatWorksOnOneGpuAloneIsRefused()
{
    const auto doubling = std::make_shared<DoublingGroup>(*m_device);
    const std::shared_ptr<Group> host = collective::soleRank(Memory::Host);
    const auto refused = [&](const train::Ranks& ranks, const Change& change) {
        const auto outcome = trained("mlp.txt", m_device, ranks, change);
        return outcome ? std::string() : std::string(codeName(outcome.error().code));
    };
    const auto optimizer = [](const char* id) {
        return [id](train::StepSettings& settings) { settings.optimizer = train::OptimizerSettings::of(id); };
    };
    QCOMPARE(refused({host, false, 4096}, [](auto&) {}), std::string("invalid_argument"));
    QCOMPARE(refused({doubling, false, 4096}, optimizer("lbfgs")), std::string("unsupported"));
    QCOMPARE(refused({doubling, true, 4096}, optimizer("lamb")), std::string("unsupported"));
    QCOMPARE(refused({doubling, false, 4096}, [](auto& settings) { settings.stochasticRounding = true; }),
             std::string("unsupported"));
    const train::Ranks onDevice{doubling, false, 4096};
    const auto onHost = trained("mlp.txt", nullptr, onDevice, [](auto&) {});
    QVERIFY(!onHost && onHost.error().code == Code::InvalidArgument);
}

void CudaRanksTest::aGroupThatFailedEndsTheTraining()
{
    const auto group = std::make_shared<DoublingGroup>(*m_device);
    group->failure = makeError(Code::ProcessDied, "Rank 1 has ended.");
    const auto outcome = trained("mlp.txt", m_device, {group, false, 4096}, [](auto&) {});
    QVERIFY(!outcome);
    QCOMPARE(outcome.error().message, std::string("Rank 1 has ended."));
}

QTEST_GUILESS_MAIN(CudaRanksTest)
#include "ranks_test.moc"
