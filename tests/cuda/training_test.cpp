// Trainings on the device: every model and optimiser against the losses that PyTorch has computed
// (tests/oracle/training), the storage types, and what only a device can get wrong: capture, slots, overflow, memory.
#include "engine/pipeline/model_builder.h"
#include "engine/train/stepper.h"
#include "kernels/base/text.h"
#include "tests/cuda/test_device.h"
#include "tests/oracle/training/training_case.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <functional>

using namespace millrace;

namespace {

constexpr const char* kFolder = MILLRACE_SOURCE_DIR "/tests/oracle/training/";
#ifdef MILLRACE_SIMULATED
constexpr std::size_t kSteps = 6; // a simulated GPU is slow; more than there are slots, so that captured steps run too
constexpr std::array kFiles{"mlp.txt", "options.txt", "lenet.txt", "gpt.txt", "lstm.txt", "gru.txt"};
constexpr std::array kLargeFiles{"resnet.txt", "mobilenet.txt"};
constexpr std::size_t kLargeSteps = 2, kLargeCases = 3;
#else
constexpr std::size_t kSteps = 100, kLargeSteps = 100, kLargeCases = 100;
constexpr std::array kFiles{"mlp.txt", "options.txt", "lenet.txt", "gpt.txt", "lstm.txt", "gru.txt"};
constexpr std::array kLargeFiles{"resnet.txt", "mobilenet.txt"};
#endif

const std::vector<oracle::TrainingCase>& casesOf(const std::string& file)
{
    static std::map<std::string, std::vector<oracle::TrainingCase>> read;
    auto& cases = read[file];
    if (cases.empty())
        if (auto found = oracle::readTrainingCases(kFolder + file)) cases = std::move(*found);
    return cases;
}

const oracle::TrainingCase& caseOf(const std::string& file, const std::string& title)
{
    const auto& cases = casesOf(file);
    const auto found = std::ranges::find(cases, title, &oracle::TrainingCase::title);
    return found == cases.end() ? cases.front() : *found;
}

double distance(double ours, double expected)
{
    return std::abs(ours - expected) / std::max(1e-3, std::abs(expected));
}

/// A training on a device, with its rows.
struct Training
{
    oracle::TrainingCase training;
    pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    std::unique_ptr<train::Stepper> stepper;
    std::unique_ptr<oracle::FormulaRows> rows;
    std::vector<double> losses;

    static Result<std::unique_ptr<Training>> create(const oracle::TrainingCase& from,
                                                    std::shared_ptr<kernels::Device> device,
                                                    const std::string& precision = "f32")
    {
        auto self = std::make_unique<Training>();
        self->training = from;
        train::StepSettings& settings = self->training.settings;
        settings.device = std::move(device);
        settings.precision = precision;
        MR_TRY(const auto layers, pipeline::expandModel(from.model, self->catalogue, from.schema));
        const train::TrainingModel model{layers, self->catalogue, from.schema, from.loss, from.options};
        MR_TRY(self->stepper, train::Stepper::create(model, settings, {from.batch / settings.accumulation}));
        oracle::fillWeights(*self->stepper->weights());
        MR_CHECK(self->stepper->weights()->publish());
        self->rows = std::make_unique<oracle::FormulaRows>(self->training);
        return self;
    }

    /// Makes the steps and takes all losses.
    Status run(std::size_t first, std::size_t end)
    {
        for (std::size_t step = first; step < end; ++step) {
            rows->draw(static_cast<std::int64_t>(step));
            MR_CHECK(stepper->step(*rows, static_cast<std::int64_t>(step), training.learningRate));
        }
        MR_CHECK(stepper->finish());
        for (;;) {
            MR_TRY(const auto figures, stepper->figures());
            if (!figures) return {};
            losses.push_back(figures->loss);
        }
    }

    /// What a checkpoint would keep.
    Result<std::map<std::string, std::vector<std::byte>>> kept()
    {
        MR_TRY(const auto all, stepper->state());
        std::map<std::string, std::vector<std::byte>> copies;
        for (const auto& [name, bytes] : all) copies[name].assign(bytes.begin(), bytes.end());
        return copies;
    }
    Status restore(const std::map<std::string, std::vector<std::byte>>& copies)
    {
        MR_TRY(const auto all, stepper->state());
        for (const auto& [name, bytes] : all) std::ranges::copy(copies.at(name), bytes.begin());
        return stepper->restored();
    }
};

std::string textOf(const Status& status)
{
    return status ? std::string() : status.error().toString();
}

#define VERIFY_OK(expression)                                                                                          \
    do {                                                                                                               \
        const Status verified = (expression);                                                                          \
        QVERIFY2(verified.has_value(), textOf(verified).c_str());                                                      \
    } while (false)

} // namespace

class CudaTrainingTest : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase();
    void init();
    void lossesAreThoseOfPyTorch_data();
    void lossesAreThoseOfPyTorch();
    void storedLossesAreNear_data();
    void storedLossesAreNear();
    void resumesToTheSameBits_data();
    void resumesToTheSameBits();
    void lateWorkChangesNothing();
    void aStepAllocatesNothing();
    void divergenceNamesTheLayer();
    void overflowOfF16IsLeftOut();
    void memoryThatIsMissingIsSaid();

private:
    std::shared_ptr<kernels::Device> m_device;
};

void CudaTrainingTest::initTestCase()
{
    auto device = test::openTestDevice();
    MR_REQUIRE_DEVICE(device);
}

void CudaTrainingTest::init()
{
    m_device.reset();
    auto device = test::openTestDevice();
    QVERIFY2(device, device ? "" : device.error().toString().c_str());
    m_device = std::move(*device);
}

void CudaTrainingTest::lossesAreThoseOfPyTorch_data()
{
    QTest::addColumn<QString>("file");
    QTest::addColumn<int>("index");
    QTest::addColumn<int>("steps");
    const auto add = [](const char* file, std::size_t steps, std::size_t most) {
        const auto& cases = casesOf(file);
        for (std::size_t i = 0; i < std::min(cases.size(), most); ++i)
            QTest::addRow("%s %s", file, cases[i].title.c_str())
                << QString::fromLatin1(file) << static_cast<int>(i) << static_cast<int>(steps);
    };
    for (const char* file : kFiles) add(file, kSteps, casesOf(file).size());
    for (const char* file : kLargeFiles) add(file, kLargeSteps, kLargeCases);
}

void CudaTrainingTest::lossesAreThoseOfPyTorch()
{
    QFETCH(QString, file);
    QFETCH(int, index);
    QFETCH(int, steps);
    const oracle::TrainingCase& one = casesOf(file.toStdString())[static_cast<std::size_t>(index)];
    if (one.settings.precision != "f32") QSKIP("the CPU's rounding of factors");
    auto training = Training::create(one, m_device);
    QVERIFY2(training, training ? "" : training.error().toString().c_str());
    const std::size_t count = std::min(one.losses.size(), static_cast<std::size_t>(steps));
    VERIFY_OK((*training)->run(0, count));
    QCOMPARE((*training)->losses.size(), count);
    double farthest = 0;
    for (std::size_t step = 0; step < count; ++step)
        farthest = std::max(farthest, distance((*training)->losses[step], one.losses[step]));
    qInfo("farthest from PyTorch %.1e", farthest);
    QVERIFY(farthest <= 1e-4);
}

void CudaTrainingTest::storedLossesAreNear_data()
{
    QTest::addColumn<QString>("file");
    QTest::addColumn<QString>("precision");
    for (const char* file : {"mlp.txt", "lenet.txt", "gpt.txt", "lstm.txt", "resnet.txt", "mobilenet.txt"})
        for (const char* precision : {"bf16", "f16", "tf32"})
            QTest::addRow("%s %s", file, precision) << QString::fromLatin1(file) << QString::fromLatin1(precision);
}

/// The losses of the first steps are those in f32 but for the rounding of what is stored.
void CudaTrainingTest::storedLossesAreNear()
{
    QFETCH(QString, file);
    QFETCH(QString, precision);
    const oracle::TrainingCase& one = caseOf(file.toStdString(), "adamw");
    auto training = Training::create(one, m_device, precision.toStdString());
    QVERIFY2(training, training ? "" : training.error().toString().c_str());
    const std::size_t count =
        kLargeSteps < kSteps && one.schema.image ? kLargeSteps : std::min<std::size_t>(kSteps, 10);
    VERIFY_OK((*training)->run(0, count));
    for (std::size_t step = 0; step < count; ++step) {
        const double off = distance((*training)->losses[step], one.losses[step]);
        QVERIFY2(off <= 2e-2, str("step ", step, " is off by ", significant(off, 3)).c_str());
    }
}

void CudaTrainingTest::resumesToTheSameBits_data()
{
    QTest::addColumn<QString>("title");
    QTest::addColumn<QString>("precision");
    QTest::addColumn<bool>("stochastic");
    for (const auto& one : casesOf("mlp.txt"))
        QTest::addRow("%s", one.title.c_str()) << QString::fromStdString(one.title) << QStringLiteral("f32") << false;
    QTest::newRow("bf16") << QStringLiteral("adamw") << QStringLiteral("bf16") << false;
    QTest::newRow("bf16, stochastic rounding") << QStringLiteral("adamw") << QStringLiteral("bf16") << true;
    QTest::newRow("f16") << QStringLiteral("adamw") << QStringLiteral("f16") << false;
}

void CudaTrainingTest::resumesToTheSameBits()
{
    QFETCH(QString, title);
    QFETCH(QString, precision);
    QFETCH(bool, stochastic);
    oracle::TrainingCase one = caseOf("mlp.txt", title.toStdString());
    one.settings.stochasticRounding = stochastic;
    one.settings.average = 0.9;
    const auto begin = [&] { return Training::create(one, m_device, precision.toStdString()); };
    auto whole = begin(), again = begin(), first = begin(), second = begin();
    QVERIFY(whole && again && first && second);
    VERIFY_OK((*whole)->run(0, 8));
    VERIFY_OK((*again)->run(0, 8));
    VERIFY_OK((*first)->run(0, 5));
    const auto halfway = (*first)->kept();
    QVERIFY(halfway);
    VERIFY_OK((*second)->restore(*halfway));
    VERIFY_OK((*second)->run(5, 8));
    const auto expected = (*whole)->kept(), same = (*again)->kept(), resumed = (*second)->kept();
    QVERIFY(expected && same && resumed);
    for (const auto& [name, bytes] : *expected) {
        QVERIFY2(same->at(name) == bytes, str("two trainings differ in ", name).c_str());
        QVERIFY2(resumed->at(name) == bytes, str("the resumed training differs in ", name).c_str());
    }
}

/// Rows are overwritten as soon as a slot is free: with work that is done as late as it can be, nothing may change.
void CudaTrainingTest::lateWorkChangesNothing()
{
#ifndef MILLRACE_SIMULATED
    QSKIP("A real device works when it likes.");
#else
    namespace simulated = kernels::cuda::simulated;
    std::vector<double> losses[2];
    for (const bool late : {false, true}) {
        m_device.reset();
        simulated::restart(
            {.work = late ? simulated::Properties::Work::WhenWaitedFor : simulated::Properties::Work::AtOnce});
        auto device = kernels::cuda::openDevice(0, {});
        QVERIFY(device);
        m_device = std::move(*device);
        auto training = Training::create(caseOf("mlp.txt", "adamw"), m_device);
        QVERIFY(training);
        VERIFY_OK((*training)->run(0, 12));
        losses[late ? 1 : 0] = (*training)->losses;
    }
    QVERIFY(losses[0] == losses[1]);
#endif
}

void CudaTrainingTest::aStepAllocatesNothing()
{
#ifndef MILLRACE_SIMULATED
    QSKIP("Only the simulated device counts calls.");
#else
    namespace simulated = kernels::cuda::simulated;
    auto training = Training::create(caseOf("gpt.txt", "adamw"), m_device, "bf16");
    QVERIFY2(training, training ? "" : training.error().toString().c_str());
    const auto allocations = [] { return simulated::callsOf("cudaMalloc") + simulated::callsOf("cudaHostAlloc"); };
    const auto before = allocations();
    VERIFY_OK((*training)->run(0, 8));
    QCOMPARE(allocations(), before);
    // the first step of a program is not captured, then each slot has its graph: from there on a step is one launch
    const auto launches = simulated::callsOf("cudaLaunchKernel"), products = simulated::callsOf("cublasLtMatmul");
    const auto graphs = simulated::callsOf("cudaGraphLaunch");
    VERIFY_OK((*training)->run(8, 12));
    QCOMPARE(simulated::callsOf("cudaLaunchKernel"), launches);
    QCOMPARE(simulated::callsOf("cublasLtMatmul"), products);
    QCOMPARE(simulated::callsOf("cudaGraphLaunch"), graphs + 4);
    training->reset();
    m_device.reset();
    QCOMPARE(simulated::allocationsLeft(), std::uint64_t{0});
#endif
}

void CudaTrainingTest::divergenceNamesTheLayer()
{
    oracle::TrainingCase one = caseOf("mlp.txt", "sgd");
    one.learningRate = 1e30;
    auto training = Training::create(one, m_device);
    QVERIFY(training);
    const Status done = (*training)->run(0, 12);
    QVERIFY(!done);
    QCOMPARE(done.error().code, Code::Diverged);
    QVERIFY2(done.error().message.find("it first appeared in layer") != std::string::npos,
             done.error().message.c_str());
}

/// Gradients that f16 cannot hold: the step is left out and the scale halved, until they fit.
void CudaTrainingTest::overflowOfF16IsLeftOut()
{
    oracle::TrainingCase one = caseOf("mlp.txt", "adamw");
    auto training = Training::create(one, m_device, "f16");
    QVERIFY2(training, training ? "" : training.error().toString().c_str());
    VERIFY_OK((*training)->run(0, 8));
    for (const double loss : (*training)->losses) QVERIFY(std::isfinite(loss));
}

void CudaTrainingTest::memoryThatIsMissingIsSaid()
{
#ifndef MILLRACE_SIMULATED
    QSKIP("tests/gpu fills a real device's memory.");
#else
    namespace simulated = kernels::cuda::simulated;
    simulated::takeMemory((std::int64_t{2} << 30) - (1 << 16));
    const auto training = Training::create(caseOf("gpt.txt", "adamw"), m_device);
    QVERIFY(!training);
    QCOMPARE(training.error().code, Code::OutOfMemory);
    QVERIFY2(training.error().message.find("of memory free") != std::string::npos, training.error().message.c_str());
    simulated::takeMemory(-((std::int64_t{2} << 30) - (1 << 16)));
    QVERIFY(Training::create(caseOf("gpt.txt", "adamw"), m_device).has_value()); // the device is as good as before
#endif
}

QTEST_GUILESS_MAIN(CudaTrainingTest)
#include "training_test.moc"
