// Every optimiser learns real digits; what a step does to its gradient and its weights beside them: accumulation,
// clipping, averaging, losses, weights of classes.
#include "engine/data/data.h"
#include "engine/pipeline/optimizer_types.h"
#include "engine/train/stepper.h"
#include "engine/train/supervised_rows.h"
#include "tests/train/fixtures.h"

#include <QtTest>

using namespace millrace;
using namespace millrace::train;
using namespace millrace::train::test;

class OptimizersTest : public QObject
{
    Q_OBJECT

private slots:
    void everyOptimizerLearnsDigits_data();
    void everyOptimizerLearnsDigits();
    void lineSearchesFindTheMinimum_data();
    void lineSearchesFindTheMinimum();
    void muonTakesHiddenMatricesAlone();
    void partsOfABatchAddUpToIt_data();
    void partsOfABatchAddUpToIt();
    void batchesThatCannotBeDividedAreRefused();
    void clippingBoundsEachStep();
    void theAverageFollowsTheWeights();
    void plateausLowerTheRate();
    void everyLossLearns_data();
    void everyLossLearns();
    void numbersTakeNoLossForClasses();
    void rareClassesCountMore();

private:
    Result<formats::Model> train(const SupervisedSettings& settings, const data::Dataset& rows,
                                 const data::Dataset* held = nullptr)
    {
        QTemporaryDir folder;
        recorder = {};
        return trainMlp(m_catalogue, settings, rows, held, recorder, folder.path().toStdString(), {}, 0);
    }
    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
    Recorder recorder;
};

namespace {

std::vector<float> weightsOf(const formats::Model& model)
{
    std::vector<float> all;
    for (const auto& tensor : model.tensors) all.insert(all.end(), tensor.values.begin(), tensor.values.end());
    return all;
}

/// ‖a - b‖ / ‖b‖
double relativeDistance(const std::vector<float>& a, const std::vector<float>& b)
{
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
        difference += (x - y) * (x - y);
        norm += y * y;
    }
    return std::sqrt(difference / norm);
}

/// One step over all rows at once.
SupervisedSettings oneStep(std::int64_t steps = 1)
{
    SupervisedSettings settings = quickSettings();
    settings.epochs = steps;
    settings.batchSize = 64;
    settings.schedule.base = 0.1;
    settings.step.optimizer = OptimizerSettings::of("sgd");
    settings.step.optimizer.momentum = 0;
    return settings;
}

} // namespace

void OptimizersTest::everyOptimizerLearnsDigits_data()
{
    QTest::addColumn<QString>("id");
    QTest::addColumn<double>("rate");
    // those whose offered rate is for larger nets or longer trainings
    const std::map<std::string_view, double> rates{{"sgd", 0.05}, {"lamb", 0.01}, {"lion", 1e-3}, {"muon", 0.02}};
    for (const auto& row : pipeline::optimizerTypes()) {
        const auto rate = rates.find(row.id);
        QTest::newRow(row.id.data()) << QString::fromUtf8(row.id.data()) << (rate == rates.end() ? 0 : rate->second);
    }
}

void OptimizersTest::everyOptimizerLearnsDigits()
{
    QFETCH(QString, id);
    QFETCH(double, rate);
    pipeline::Node node;
    node.id = "digits";
    node.type = "data.builtin";
    const std::string source = MILLRACE_SOURCE_DIR;
    const auto digits = data::load(node, *m_catalogue.find(node.type), {source, source + "/resources"});
    QVERIFY2(digits, digits ? "" : digits.error().toString().c_str());

    // the numbers that the catalogue offers
    pipeline::Node fit;
    fit.id = "fit";
    fit.type = "train.supervised";
    fit.params["optimizer"] = id.toStdString();
    auto settings = supervisedSettings(fit, *m_catalogue.find(fit.type), 1);
    QVERIFY2(settings, settings ? "" : settings.error().toString().c_str());
    settings->epochs = isFullBatch(settings->step.optimizer) ? 30 : 12;
    if (rate > 0) settings->schedule.base = rate;
    const auto model = train(*settings, *digits);
    QVERIFY2(model, model ? "" : model.error().toString().c_str());
    const auto& losses = recorder.metrics["train.loss"];
    QVERIFY2(losses.rbegin()->second < 0.5 * losses.at(1),
             qPrintable(QStringLiteral("%1 -> %2").arg(losses.at(1)).arg(losses.rbegin()->second)));
}

void OptimizersTest::lineSearchesFindTheMinimum_data()
{
    QTest::addColumn<QString>("id");
    QTest::newRow("lbfgs") << QStringLiteral("lbfgs");
    QTest::newRow("cg") << QStringLiteral("cg");
}

// Rosenbrock's valley, whose minimum 0 is at (1, 1).
void OptimizersTest::lineSearchesFindTheMinimum()
{
    struct Valley : Objective
    {
        std::vector<float> at{-1.2F, 1.0F}, gradient{0, 0};
        Result<double> evaluate() override
        {
            const double x = static_cast<double>(at[0]), y = static_cast<double>(at[1]), bend = y - x * x;
            gradient = {static_cast<float>(-400 * x * bend - 2 * (1 - x)), static_cast<float>(200 * bend)};
            return 100 * bend * bend + (1 - x) * (1 - x);
        }
        std::span<float> parameters() override { return at; }
        std::span<float> gradients() override { return gradient; }
    } valley;
    QFETCH(QString, id);
    auto optimizer = createOptimizer(OptimizerSettings::of(id.toStdString()), {{{0, 2, true}}, 2}, 1);
    QVERIFY(optimizer);
    double last = *valley.evaluate();
    for (std::int64_t step = 1; step <= 60; ++step) {
        QVERIFY((*optimizer)->step(valley, 1, step));
        const double now = *valley.evaluate();
        QVERIFY2(now <= last, qPrintable(QStringLiteral("%1 at step %2").arg(now).arg(step)));
        last = now;
    }
    QVERIFY2(last < 1e-5, qPrintable(QString::number(last)));
}

void OptimizersTest::muonTakesHiddenMatricesAlone()
{
    const data::Dataset rows = rings(64, 1);
    pipeline::Node node;
    node.id = "net";
    node.type = "model.mlp";
    node.params = {{"hidden", {16, 8}}};
    const TrainingModel model{*pipeline::expandModel(node, m_catalogue, rows.schema),
                              m_catalogue,
                              rows.schema,
                              compile::Loss::CrossEntropy,
                              {}};
    const auto program = trainingProgram(model, {}, 8);
    QVERIFY(program);
    std::vector<std::pair<std::int64_t, std::int64_t>> matrices;
    for (const auto& segment : parameterLayout(*program).segments)
        if (segment.rows > 0) matrices.emplace_back(segment.rows, segment.columns);
    const std::vector<std::pair<std::int64_t, std::int64_t>> expected{{16, 2}, {8, 16}};
    QVERIFY(matrices == expected);
}

void OptimizersTest::partsOfABatchAddUpToIt_data()
{
    QTest::addColumn<int>("parts");
    QTest::addColumn<bool>("balanced");
    QTest::newRow("2") << 2 << false;
    QTest::newRow("8") << 8 << false;
    QTest::newRow("8, balanced classes") << 8 << true;
}

void OptimizersTest::partsOfABatchAddUpToIt()
{
    QFETCH(int, parts);
    QFETCH(bool, balanced);
    data::Dataset rows = rings(75, 1); // a batch of 64 and one of 11
    for (std::size_t i = 0; i < 20; ++i) rows.labels[i] = 0;
    SupervisedSettings settings = oneStep();
    settings.balancedClasses = balanced;
    const auto whole = train(settings, rows);
    QVERIFY(whole);
    const auto expected = recorder.metrics["train.batch_loss"];
    settings.step.accumulation = parts;
    const auto divided = train(settings, rows);
    QVERIFY2(divided, divided ? "" : divided.error().toString().c_str());
    const auto losses = recorder.metrics["train.batch_loss"];
    QCOMPARE(losses.size(), expected.size());
    for (const auto& [step, loss] : losses) QVERIFY(std::abs(loss / expected.at(step) - 1) < 1e-6);
    QVERIFY(relativeDistance(weightsOf(*divided), weightsOf(*whole)) < 1e-6);
}

void OptimizersTest::batchesThatCannotBeDividedAreRefused()
{
    SupervisedSettings settings = oneStep();
    settings.step.accumulation = 3;
    const auto model = train(settings, rings(64, 1));
    QVERIFY(!model);
    QVERIFY(model.error().message.find("64") != std::string::npos);
}

void OptimizersTest::clippingBoundsEachStep()
{
    const data::Dataset rows = rings(64, 1);
    SupervisedSettings settings = oneStep();
    settings.schedule.base = 0;
    const auto before = weightsOf(*train(settings, rows));
    settings.schedule.base = 1;
    settings.step.clipValue = 1e-3;
    const auto byValue = weightsOf(*train(settings, rows));
    settings.step.clipValue = 0;
    settings.step.clipNorm = 1e-2;
    const auto byNorm = weightsOf(*train(settings, rows));
    double largest = 0, square = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        largest = std::max(largest, std::abs(static_cast<double>(byValue[i] - before[i])));
        square += std::pow(static_cast<double>(byNorm[i] - before[i]), 2);
    }
    QVERIFY(std::abs(largest - 1e-3) < 1e-6);
    QVERIFY(std::abs(std::sqrt(square) - 1e-2) < 1e-5);
}

void OptimizersTest::theAverageFollowsTheWeights()
{
    const data::Dataset rows = rings(64, 1);
    std::vector<std::vector<float>> weights;
    for (const int steps : {1, 2, 3}) weights.push_back(weightsOf(*train(oneStep(steps), rows)));
    SupervisedSettings settings = oneStep(3);
    settings.step.average = 0.75;
    const auto average = weightsOf(*train(settings, rows));
    std::vector<float> expected = weights[0];
    for (const auto& next : {weights[1], weights[2]})
        for (std::size_t i = 0; i < expected.size(); ++i) expected[i] = 0.75F * expected[i] + 0.25F * next[i];
    QVERIFY(relativeDistance(average, expected) < 1e-6);
}

void OptimizersTest::plateausLowerTheRate()
{
    SupervisedSettings settings = oneStep(6);
    settings.schedule.id = "plateau";
    settings.schedule.base = 1e-7; // too little to get better by
    settings.schedule.factor = 0.5;
    settings.schedule.patience = 1;
    QVERIFY(train(settings, rings(64, 1)));
    const auto& rates = recorder.metrics["train.learning_rate"];
    QCOMPARE(rates.at(3), 1e-7);
    QCOMPARE(rates.at(4), 0.5e-7);
    QCOMPARE(rates.at(6), 0.25e-7);
}

void OptimizersTest::everyLossLearns_data()
{
    QTest::addColumn<QString>("loss");
    QTest::addColumn<bool>("number");
    for (const char* loss : {"auto", "cross_entropy", "binary_cross_entropy", "mse", "mae", "huber"})
        QTest::newRow(loss) << QString::fromUtf8(loss) << false;
    for (const char* loss : {"auto", "mse", "mae", "huber"})
        QTest::addRow("%s of a number", loss) << QString::fromUtf8(loss) << true;
}

void OptimizersTest::everyLossLearns()
{
    QFETCH(QString, loss);
    QFETCH(bool, number);
    data::Dataset rows = rings(200, 1);
    if (number) {
        rows.schema.target = pipeline::TargetKind::Number;
        rows.schema.classes.clear();
        for (const std::int32_t label : rows.labels) rows.targets.push_back(5.0F + 2.0F * static_cast<float>(label));
        rows.labels.clear();
    }
    SupervisedSettings settings = quickSettings();
    settings.loss = loss.toStdString();
    settings.step.labelSmoothing = loss == QStringLiteral("cross_entropy") ? 0.1 : 0;
    const auto model = train(settings, rows, &rows);
    QVERIFY2(model, model ? "" : model.error().toString().c_str());
    const auto& losses = recorder.metrics["validation.loss"];
    QVERIFY2(losses.at(20) < 0.5 * losses.at(1),
             qPrintable(QStringLiteral("%1 -> %2").arg(losses.at(1)).arg(losses.at(20))));
    if (!number) QVERIFY(recorder.metrics["validation.accuracy"].at(20) > 0.95);
}

void OptimizersTest::numbersTakeNoLossForClasses()
{
    QVERIFY(!lossFor("cross_entropy", pipeline::TargetKind::Number));
    QVERIFY(lossFor("huber", pipeline::TargetKind::Number));
    QVERIFY(!lossFor("hubr", pipeline::TargetKind::Classes));
}

void OptimizersTest::rareClassesCountMore()
{
    data::Dataset rows = rings(60, 1);
    for (std::size_t i = 0; i < 60; ++i) rows.labels[i] = i < 45 ? 0 : 1;
    const auto weights = balancedWeights(rows, {});
    QVERIFY(weights);
    QCOMPARE(weights->at(0), 60.0F / (2 * 45));
    QCOMPARE(weights->at(1), 60.0F / (2 * 15));
}

QTEST_GUILESS_MAIN(OptimizersTest)
#include "optimizers_test.moc"
