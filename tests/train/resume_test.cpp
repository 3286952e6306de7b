// A training that is stopped and resumed gives the same bits as one that is not: for every optimiser, every schedule
// and all that a step keeps.
#include "engine/pipeline/optimizer_types.h"
#include "engine/pipeline/schedule_types.h"
#include "tests/train/fixtures.h"

#include <QtTest>

using namespace millrace;
using namespace millrace::train;
using namespace millrace::train::test;

class ResumeTest : public QObject
{
    Q_OBJECT

private slots:
    void resumesToTheSameBits_data();
    void resumesToTheSameBits();

private:
    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
};

namespace {

using Change = std::function<void(SupervisedSettings&)>;

void addRow(const std::string& name, const Change& change)
{
    QTest::newRow(name.c_str()) << change;
}

} // namespace

Q_DECLARE_METATYPE(Change)

void ResumeTest::resumesToTheSameBits_data()
{
    QTest::addColumn<Change>("change");
    for (const auto& row : pipeline::optimizerTypes())
        addRow(std::string(row.id), [row](SupervisedSettings& settings) {
            settings.step.optimizer = OptimizerSettings::of(row.id);
            settings.step.optimizer.weightDecay = 1e-3;
            if (!row.fullBatch) return;
            settings.schedule.base = 1;
            settings.epochs = 20; // whose steps are epochs
        });
    for (const auto& row : pipeline::scheduleTypes())
        addRow("schedule " + std::string(row.id), [row](SupervisedSettings& settings) {
            settings.schedule.id = row.id;
            settings.schedule.patience = 1;
            settings.schedule.base = 0.1;
            settings.warmupEpochs = 0.6;
            settings.stepEpochs = 1;
        });
    addRow("average", [](SupervisedSettings& settings) { settings.step.average = 0.9; });
    addRow("average and early stopping", [](SupervisedSettings& settings) {
        settings.step.average = 0.9;
        settings.earlyStopping = 1;
        settings.schedule.base = 0.3;
    });
    addRow("accumulation", [](SupervisedSettings& settings) { settings.step.accumulation = 4; });
    addRow("clipping", [](SupervisedSettings& settings) {
        settings.step.clipNorm = 0.1;
        settings.step.clipValue = 0.01;
    });
    addRow("balanced classes", [](SupervisedSettings& settings) {
        settings.balancedClasses = true;
        settings.step.labelSmoothing = 0.1;
    });
}

void ResumeTest::resumesToTheSameBits()
{
    QFETCH(Change, change);
    const data::Dataset rows = rings(78, 1), held = rings(50, 2);
    SupervisedSettings settings = quickSettings();
    settings.epochs = 4; // of five steps, the last one smaller
    change(settings);
    const auto run = [&](Recorder& recorder, const QTemporaryDir& folder) {
        return trainMlp(m_catalogue, settings, rows, &held, recorder, folder.path().toStdString(),
                        recorder.stop.get_token());
    };
    const QTemporaryDir straight, halved;
    Recorder reference, first, second;
    const auto expected = run(reference, straight);
    QVERIFY2(expected, expected ? "" : expected.error().toString().c_str());
    first.stopAt =
        std::min<std::int64_t>(8, static_cast<std::int64_t>(reference.metrics["train.batch_loss"].size()) - 1);
    const auto stopped = run(first, halved);
    QVERIFY(!stopped);
    QCOMPARE(stopped.error().code, Code::Cancelled);
    const auto resumed = run(second, halved);
    QVERIFY2(resumed, resumed ? "" : resumed.error().toString().c_str());
    QVERIFY(sameTensors(*resumed, *expected));
    for (const auto& [name, points] : second.metrics)
        for (const auto& [step, value] : points) QCOMPARE(value, reference.metrics[name][step]);
}

QTEST_GUILESS_MAIN(ResumeTest)
#include "resume_test.moc"
