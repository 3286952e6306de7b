// Our trainings against PyTorch's: the same weights, the same batches, a hundred steps, the same losses.
#include "engine/pipeline/model_builder.h"
#include "engine/train/schedule.h"
#include "engine/train/stepper.h"
#include "kernels/base/text.h"
#include "tests/oracle/training/training_case.h"

#include <QDir>
#include <QtTest>
#include <cmath>
#include <fstream>

using namespace millrace;
using oracle::FormulaRows;
using oracle::TrainingCase;

namespace {
constexpr double kTolerance = 1e-4; // relative

double distance(double ours, double expected)
{
    return std::abs(ours - expected) / std::abs(expected);
}
} // namespace

class TrainingTest : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase();
    void lossesAreThoseOfPyTorch_data();
    void lossesAreThoseOfPyTorch();
    void ratesAreThoseOfPyTorch_data();
    void ratesAreThoseOfPyTorch();

private:
    Status compare(const TrainingCase& training);
    Result<double> inferenceLoss(const train::TrainingModel& model, const TrainingCase& training,
                                 const train::Stepper& stepper, const train::MicroBatch& rows) const;
    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
    std::map<std::string, TrainingCase> m_cases; ///< by "<file>: <title>"
    double m_farthest = 0;
};

void TrainingTest::initTestCase()
{
    const QDir folder(QStringLiteral(MILLRACE_TEST_DATA));
    for (const QString& file : folder.entryList({QStringLiteral("*.txt")}, QDir::Files)) {
        if (file == QStringLiteral("CMakeLists.txt") || file == QStringLiteral("schedules.txt")) continue;
        const auto cases = oracle::readTrainingCases(folder.filePath(file).toStdString());
        QVERIFY2(cases, cases ? "" : cases.error().toString().c_str());
        for (const TrainingCase& each : *cases) m_cases[str(file.chopped(4).toStdString(), ": ", each.title)] = each;
    }
}

void TrainingTest::lossesAreThoseOfPyTorch_data()
{
    QTest::addColumn<QString>("name");
    for (const auto& [name, each] : m_cases) QTest::newRow(name.c_str()) << QString::fromStdString(name);
}

void TrainingTest::lossesAreThoseOfPyTorch()
{
    QFETCH(QString, name);
    m_farthest = 0;
    const auto done = compare(m_cases.at(name.toStdString()));
    qInfo("farthest from PyTorch %.1e", m_farthest);
    QVERIFY2(done, done ? "" : done.error().toString().c_str());
}

Status TrainingTest::compare(const TrainingCase& training)
{
    const auto check = [&](double ours, double expected, const std::string& at) -> Status {
        m_farthest = std::max(m_farthest, distance(ours, expected));
        if (distance(ours, expected) <= kTolerance) return {};
        return makeError(Code::Internal, str(at, ": PyTorch's loss is ", significant(expected, 9), ", ours ",
                                             significant(ours, 9), "."));
    };
    MR_TRY(const auto layers, pipeline::expandModel(training.model, m_catalogue, training.schema));
    const train::TrainingModel model{layers, m_catalogue, training.schema, training.loss, training.options};
    const std::int64_t micro = training.batch / training.settings.accumulation;
    MR_TRY(const auto stepper, train::Stepper::create(model, training.settings, {micro}));
    oracle::fillWeights(*stepper->weights());
    FormulaRows rows(training);
    const auto steps = static_cast<std::int64_t>(training.losses.size());
    for (std::int64_t step = 0; step < steps; ++step) {
        rows.draw(step);
        MR_CHECK(stepper->step(rows, step, training.learningRate));
        MR_TRY(const auto figures, stepper->figures());
        MR_CHECK(check(figures.value().loss, training.losses[static_cast<std::size_t>(step)], str("step ", step)));
    }
    rows.draw(steps);
    if (training.inference) {
        MR_TRY(const double loss, inferenceLoss(model, training, *stepper, rows.whole()));
        MR_CHECK(check(loss, *training.inference, "inference"));
    }
    if (training.averaged) {
        MR_CHECK(stepper->exchangeAverage());
        MR_TRY(const double loss, inferenceLoss(model, training, *stepper, rows.whole()));
        MR_CHECK(check(loss, *training.averaged, "averaged"));
    }
    return {};
}

Result<double> TrainingTest::inferenceLoss(const train::TrainingModel& model, const TrainingCase& training,
                                           const train::Stepper& stepper, const train::MicroBatch& rows) const
{
    MR_TRY(auto graph, pipeline::buildModel(model.layers, m_catalogue, model.schema, training.batch));
    compile::LossOptions options = training.options;
    options.labelSmoothing = training.settings.labelSmoothing;
    MR_TRY(graph, compile::withLoss(std::move(graph), training.loss, options));
    MR_TRY(auto program, compile::plan(std::move(graph), compile::Mode::Inference));
    MR_TRY(const auto executor, execute::Executor::create(std::move(program), stepper.weights(), 1));
    const auto fillFloats = [&](const char* port, std::span<const float> values) -> Status {
        if (values.empty()) return {};
        MR_TRY(const auto into, executor->floats(port));
        std::copy(values.begin(), values.end(), into.begin());
        return {};
    };
    const auto fillIntegers = [&](const char* port, std::span<const std::int32_t> values) -> Status {
        if (values.empty()) return {};
        MR_TRY(const auto into, executor->integers(port));
        std::copy(values.begin(), values.end(), into.begin());
        return {};
    };
    MR_CHECK(fillFloats("features", rows.features));
    MR_CHECK(fillIntegers("features", rows.tokens));
    MR_CHECK(fillIntegers("labels", rows.labels));
    MR_CHECK(fillFloats("targets", rows.targets));
    MR_CHECK(fillFloats("class_weights", training.options.classWeights));
    MR_CHECK(executor->run(0, 0));
    MR_TRY(const auto loss, executor->floats("loss"));
    return static_cast<double>(loss[0]);
}

// schedules.txt: after each title the schedule as JSON; losses that a plateau is judged by, if any; the rates.
void TrainingTest::ratesAreThoseOfPyTorch_data()
{
    QTest::addColumn<QString>("schedule");
    QTest::addColumn<QString>("losses");
    QTest::addColumn<QString>("rates");
    std::ifstream file(MILLRACE_TEST_DATA "/schedules.txt");
    QVERIFY(file);
    std::string line, title, settings, losses, rates;
    while (std::getline(file, line)) {
        if (line.starts_with("[")) title = line;
        if (line.starts_with("schedule ")) settings = line.substr(9);
        if (line.starts_with("losses ")) losses = line.substr(7);
        if (!line.starts_with("rates ")) continue;
        QTest::newRow(title.c_str()) << QString::fromStdString(settings) << QString::fromStdString(losses)
                                     << QString::fromStdString(line.substr(6));
        losses.clear();
    }
}

void TrainingTest::ratesAreThoseOfPyTorch()
{
    QFETCH(QString, schedule);
    QFETCH(QString, losses);
    QFETCH(QString, rates);
    const auto json = nlohmann::json::parse(schedule.toStdString());
    train::Schedule ours;
    ours.id = json["id"];
    ours.base = json["base"];
    ours.warmup = json.value("warmup", ours.warmup);
    ours.totalSteps = json.value("total", ours.totalSteps);
    ours.length = json.value("length", ours.length);
    ours.factor = json.value("factor", ours.factor);
    ours.power = json.value("power", ours.power);
    ours.finalRate = json.value("final", ours.finalRate);
    ours.patience = json.value("patience", ours.patience);
    train::Plateau plateau;
    const QStringList expected = rates.split(QLatin1Char(' ')),
                      seen = losses.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    for (qsizetype step = 0; step < expected.size(); ++step) {
        const double rate = ours.rate(step, plateau.reductions);
        QVERIFY2(std::abs(rate - expected[step].toDouble()) <= 1e-9 * ours.base,
                 qPrintable(QStringLiteral("step %1: %2 instead of %3").arg(step).arg(rate).arg(expected[step])));
        if (step < seen.size()) plateau.observe(seen[step].toDouble(), ours.patience);
    }
}

QTEST_GUILESS_MAIN(TrainingTest)
#include "training_test.moc"
