// Training on small made-up rows: schedules, early stopping, divergence that names its layer, resume to the same bits.
#include "engine/pipeline/optimizer_types.h"
#include "engine/pipeline/schedule_types.h"
#include "engine/train/evaluator.h"
#include "engine/train/model_tensors.h"
#include "engine/train/optimizer.h"
#include "engine/train/schedule.h"
#include "tests/train/fixtures.h"

#include <QtTest>

using namespace millrace;
using namespace millrace::train;
using namespace millrace::train::test;

class TrainTest : public QObject
{
    Q_OBJECT

private slots:
    void schedulesFollowTheirFormulas();
    void everyOfferedScheduleAndOptimizerIsKnown();
    void plateausReduceTheRate();
    void unknownOptimizersAreNamed();
    void learnsAndReportsEveryEpoch();
    void earlyStoppingRestoresTheBest();
    void divergenceNamesTheLayer();
    void aStoppedTrainingResumesToTheSameBits();
    void aLastBatchOfOneRowIsLeftOut();
    void numbersAreLearntInTheirUnit();
    void preprocessingIsCompletedForEvaluation();
    void oneClassHasFiguresWithoutDividingByZero();

private:
    Result<formats::Model> train(const SupervisedSettings& settings, const data::Dataset& rows,
                                 const data::Dataset* validation, Observer& observer, const QString& folder,
                                 std::stop_token stop = {});
    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
};

Result<formats::Model> TrainTest::train(const SupervisedSettings& settings, const data::Dataset& rows,
                                        const data::Dataset* validation, Observer& observer, const QString& folder,
                                        std::stop_token stop)
{
    return trainMlp(m_catalogue, settings, rows, validation, observer, folder.toStdString(), std::move(stop));
}

void TrainTest::schedulesFollowTheirFormulas()
{
    Schedule schedule;
    schedule.base = 1;
    schedule.totalSteps = 100;
    QCOMPARE(schedule.rate(99), 1.0);
    schedule.id = "step";
    schedule.length = 40;
    QCOMPARE(schedule.rate(39), 1.0);
    QCOMPARE(schedule.rate(40), 0.1);
    QCOMPARE(schedule.rate(80), 0.1 * 0.1);
    schedule.id = "exponential";
    QVERIFY(std::abs(schedule.rate(20) - std::sqrt(0.1)) < 1e-12);
    schedule.id = "plateau";
    schedule.finalRate = 0.05;
    QCOMPARE(schedule.rate(50, 1), 0.1);
    QCOMPARE(schedule.rate(50, 2), 0.05);
    schedule.finalRate = 0;
    schedule.id = "cosine";
    schedule.warmup = 10;
    QCOMPARE(schedule.rate(0), 0.1);
    QCOMPARE(schedule.rate(9), 1.0);
    QCOMPARE(schedule.rate(10), 1.0);
    QVERIFY(std::abs(schedule.rate(55) - 0.5) < 1e-12);
    QVERIFY(schedule.rate(99) < 0.001);
    schedule.id = "polynomial";
    schedule.power = 2;
    schedule.finalRate = 0.2;
    QVERIFY(std::abs(schedule.rate(55) - (0.2 + 0.8 * 0.25)) < 1e-12);
    schedule.id = "one_cycle";
    schedule.finalRate = 0;
    QVERIFY(std::abs(schedule.rate(10) - 0.04) < 1e-12);
    QVERIFY(std::abs(schedule.rate(36) - 1) < 1e-12);
    QVERIFY(schedule.rate(99) < 1e-12);
}

void TrainTest::everyOfferedScheduleAndOptimizerIsKnown()
{
    for (const auto& row : pipeline::optimizerTypes())
        QVERIFY2(createOptimizer(OptimizerSettings::of(row.id), {{{0, 4, true}}, 4}, 1), row.id.data());
    Schedule schedule;
    for (const auto& row : pipeline::scheduleTypes()) {
        schedule.id = row.id;
        QVERIFY2(schedule.check(), row.id.data());
    }
    schedule.id = "cosin";
    QVERIFY(schedule.check().error().advice.find("cosine") != std::string::npos);
}

void TrainTest::plateausReduceTheRate()
{
    Plateau plateau;
    for (const double loss : {3.0, 2.0, 2.5, 1.99995, 2.0}) plateau.observe(loss, 2); // 1.99995 is hardly better
    QCOMPARE(plateau.reductions, 1);
    plateau.observe(1.0, 2);
    const Plateau again = plateauFromJson(toJson(plateau));
    QCOMPARE(again.best, 1.0);
    QCOMPARE(again.worse, 0);
    QCOMPARE(again.reductions, 1);
}

void TrainTest::unknownOptimizersAreNamed()
{
    const auto optimizer = createOptimizer(OptimizerSettings::of("adamv"), {}, 1);
    QVERIFY(!optimizer);
    QVERIFY(QString::fromStdString(optimizer.error().toString()).contains(QStringLiteral("adam")));
}

void TrainTest::learnsAndReportsEveryEpoch()
{
    QTemporaryDir folder;
    const data::Dataset rows = rings(200, 1), held = rings(100, 2);
    Recorder recorder;
    const auto model = train(quickSettings(), rows, &held, recorder, folder.path());
    QVERIFY2(model, model ? "" : model.error().toString().c_str());
    for (const char* name :
         {"train.loss", "train.accuracy", "train.learning_rate", "validation.loss", "validation.accuracy"}) {
        QCOMPARE(recorder.metrics[name].size(), std::size_t{20});
        QCOMPARE(recorder.metrics[name].begin()->first, std::int64_t{1});
    }
    QCOMPARE(recorder.metrics["train.batch_loss"].size(), std::size_t{20 * 13});
    QVERIFY(recorder.metrics["validation.accuracy"][20] > 0.95);
    QCOMPARE(*recorder.last.step, *recorder.last.steps);
}

void TrainTest::earlyStoppingRestoresTheBest()
{
    QTemporaryDir folder;
    SupervisedSettings settings = quickSettings();
    settings.epochs = 200;
    settings.earlyStopping = 5;
    const data::Dataset rows = rings(60, 1), held = rings(200, 2);
    Recorder recorder;
    const auto model = train(settings, rows, &held, recorder, folder.path());
    QVERIFY(model);
    const auto& losses = recorder.metrics["validation.loss"];
    QVERIFY(losses.size() < 200);
    double best = 1e9;
    for (const auto& [epoch, loss] : losses) best = std::min(best, loss);
    auto evaluator = Evaluator::create(*model, m_catalogue, {.threads = 1});
    QVERIFY(evaluator);
    QCOMPARE(evaluator->run(held)->loss, best);
}

void TrainTest::divergenceNamesTheLayer()
{
    QTemporaryDir folder;
    SupervisedSettings settings = quickSettings();
    settings.step.optimizer = OptimizerSettings::of("sgd");
    settings.schedule.base = 1e30;
    const data::Dataset rows = rings(100, 1);
    Recorder recorder;
    const auto model = train(settings, rows, nullptr, recorder, folder.path());
    QVERIFY(!model);
    QCOMPARE(model.error().code, Code::Diverged);
    QVERIFY2(model.error().message.find("layer") != std::string::npos, model.error().message.c_str());
}

void TrainTest::aStoppedTrainingResumesToTheSameBits()
{
    const data::Dataset rows = rings(203, 1), held = rings(50, 2);
    SupervisedSettings settings = quickSettings();
    settings.earlyStopping = 15;
    settings.schedule.id = "cosine";
    settings.warmupEpochs = 1;
    QTemporaryDir undisturbed;
    Recorder reference;
    const auto expected = train(settings, rows, &held, reference, undisturbed.path());
    QVERIFY(expected);
    for (const std::int64_t stopAt : {1, 7, 13, 14, 100, 259}) { // within, at the end and at the start of epochs
        QTemporaryDir folder;
        Recorder first;
        first.stopAt = stopAt;
        const auto stopped = train(settings, rows, &held, first, folder.path(), first.stop.get_token());
        QVERIFY(!stopped);
        QCOMPARE(stopped.error().code, Code::Cancelled);
        Recorder second;
        const auto resumed = train(settings, rows, &held, second, folder.path());
        QVERIFY(resumed);
        QVERIFY2(sameTensors(*resumed, *expected), qPrintable(QString::number(stopAt)));
        for (const auto& [name, points] : second.metrics)
            for (const auto& [step, value] : points) QCOMPARE(value, reference.metrics[name][step]);
    }
}

void TrainTest::aLastBatchOfOneRowIsLeftOut()
{
    QTemporaryDir folder;
    SupervisedSettings settings = quickSettings();
    settings.epochs = 1;
    const data::Dataset rows = rings(33, 1);
    Recorder recorder;
    QVERIFY(train(settings, rows, nullptr, recorder, folder.path()));
    QCOMPARE(recorder.metrics["train.batch_loss"].size(), std::size_t{2});
}

void TrainTest::numbersAreLearntInTheirUnit()
{
    data::Dataset rows = rings(200, 1);
    rows.schema.target = pipeline::TargetKind::Number;
    rows.schema.classes.clear();
    for (std::size_t i = 0; i < 200; ++i)
        rows.targets.push_back(1e6f + 1e5f * (rows.features[2 * i] - 2 * rows.features[2 * i + 1]));
    rows.labels.clear();
    QTemporaryDir folder;
    SupervisedSettings settings = quickSettings();
    settings.epochs = 60;
    Recorder recorder;
    const auto model = train(settings, rows, &rows, recorder, folder.path());
    QVERIFY(model);
    auto evaluator = Evaluator::create(*model, m_catalogue, {.threads = 1});
    const auto evaluation = evaluator->run(rows);
    QVERIFY2(evaluation->r2 > 0.97, qPrintable(QString::number(evaluation->r2)));
    QVERIFY(std::abs(evaluator->outputs(rows.row(0), 1)->at(0) - rows.targets[0]) < 2e5f);
}

void TrainTest::preprocessingIsCompletedForEvaluation()
{
    auto raw = std::make_shared<data::Dataset>(rings(4, 1));
    formats::Model model;
    model.schema = raw->schema;
    model.preprocessing.steps = nlohmann::json::parse(R"([{"kind": "scale", "offset": [1, 0], "factor": [2, 2]}])");
    const auto prepared = asTrained(raw, model);
    QVERIFY2(prepared, prepared ? "" : prepared.error().toString().c_str());
    QCOMPARE((*prepared)->features[0], (raw->features[0] - 1) * 2);
    auto other = std::make_shared<data::Dataset>(*raw);
    other->preprocessing.steps = nlohmann::json::parse(R"([{"kind": "scale", "offset": [0, 0], "factor": [1, 1]}])");
    QVERIFY(!asTrained(other, model));
}

void TrainTest::oneClassHasFiguresWithoutDividingByZero()
{
    Evaluation evaluation;
    evaluation.rows = 3;
    evaluation.confusion = {{2, 1, 0}, {0, 0, 0}, {0, 0, 0}};
    const auto figures = classFigures(evaluation);
    QCOMPARE(figures[0].precision, 1.0);
    QCOMPARE(figures[0].recall, 2.0 / 3);
    QCOMPARE(figures[1].f1, 0.0);
    QCOMPARE(metricsOf(evaluation, pipeline::TargetKind::Classes, "test").at("test.recall"), 2.0 / 3);
}

QTEST_GUILESS_MAIN(TrainTest)
#include "train_test.moc"
