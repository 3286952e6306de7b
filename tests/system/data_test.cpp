// Data of the user's own, trained on as the user would: a table with gaps and text classes, and MNIST images in IDX.
#include "tests/system/command.h"

using namespace millrace::test;

class DataTest : public QObject
{
    Q_OBJECT

private slots:
    void aTableNeedsNoMoreThanPathAndTarget();
    void aTableOfNumbersIsRegressed();
    void mnistPerceptron();
    void mnistConvolutions();

private:
    Outcome trainMnist(const QStringList& more);
};

namespace {
QByteArray csvPipeline(const QByteArray& path, const QByteArray& target)
{
    return R"({"format": "millrace/1", "name": "Table", "nodes": [
        {"id": "table", "type": "data.csv", "at": [0, 0], "params": {"path": ")" +
           path + R"(", "target": ")" + target + R"("}},
        {"id": "split", "type": "data.split", "at": [240, 0]},
        {"id": "scale", "type": "data.standardize", "at": [480, 0]},
        {"id": "net", "type": "model.mlp", "at": [240, 160], "params": {"hidden": [16]}},
        {"id": "fit", "type": "train.supervised", "at": [720, 0], "params": {"epochs": 40, "learning_rate": 0.01}},
        {"id": "evaluate", "type": "evaluate.model", "at": [960, 0]}],
      "links": [["table.rows", "split.rows"], ["split.train", "scale.train"], ["split.test", "scale.test"],
                ["scale.train", "fit.train"], ["scale.test", "fit.validation"], ["net.model", "fit.model"],
                ["fit.model", "evaluate.model"], ["scale.test", "evaluate.rows"]]})";
}

double metric(const Outcome& outcome, const char* name)
{
    return outcome.json().value(QStringLiteral("metrics")).toObject().value(QLatin1String(name)).toDouble(-1);
}

Outcome runPipeline(const Home& home, const QByteArray& pipeline)
{
    const QString path = home.filePath("pipeline.millrace");
    writeFile(path, pipeline);
    return home.run({QStringLiteral("run"), path, QStringLiteral("--json")}, 300000);
}
} // namespace

void DataTest::aTableNeedsNoMoreThanPathAndTarget()
{
    const Home home;
    QVERIFY(QFile::copy(QStringLiteral(MILLRACE_TEST_DATA "/data/iris_with_gaps.csv"), home.filePath("iris.csv")));
    const Outcome run = runPipeline(home, csvPipeline("iris.csv", "species"));
    QVERIFY2(run.status == 0, run.errors.constData());
    qInfo("iris with gaps: test accuracy %.3f", metric(run, "test.accuracy"));
    QVERIFY(metric(run, "test.accuracy") >= 0.85);
    QVERIFY2(run.errors.contains("missing"), run.errors.constData()); // what was filled is said
}

void DataTest::aTableOfNumbersIsRegressed()
{
    const Home home;
    QByteArray table = "a,b,price\n";
    QRandomGenerator random(3);
    for (int i = 0; i < 400; ++i) {
        const double a = random.generateDouble() * 10, b = random.generateDouble() * 100;
        const double price = 20000 + 3000 * a - 50 * b + 200 * random.generateDouble();
        table += QByteArray::number(a, 'f', 4) + "," + QByteArray::number(b, 'f', 3) + "," +
                 QByteArray::number(price, 'f', 2) + "\n";
    }
    writeFile(home.filePath("prices.csv"), table);
    const Outcome run = runPipeline(home, csvPipeline("prices.csv", "price"));
    QVERIFY2(run.status == 0, run.errors.constData());
    qInfo("regression: R² %.4f, RMSE %.1f", metric(run, "test.r2"), metric(run, "test.rmse"));
    QVERIFY(metric(run, "test.r2") > 0.98);
}

// The template as a user would take it: its own two files, nothing else but what `more` sets.
Outcome DataTest::trainMnist(const QStringList& more)
{
    const Home home;
    const QString data = sharedData();
    QStringList arguments{QStringLiteral("run"),
                          QStringLiteral(MILLRACE_SOURCE_DIR "/resources/templates/mnist.millrace"),
                          QStringLiteral("--json")};
    for (const QString& setting : QStringList{QStringLiteral("images.images=%1/t10k-images-idx3-ubyte.gz").arg(data),
                                              QStringLiteral("images.labels=%1/t10k-labels-idx1-ubyte.gz").arg(data)} +
                                      more)
        arguments << QStringLiteral("--set") << setting;
    return home.run(arguments, 300000);
}

void DataTest::mnistPerceptron()
{
    if (sharedData().isEmpty()) QSKIP("MNIST's test images are not on this machine");
    const Home home;
    const QByteArray data = sharedData().toUtf8();
    const Outcome run = runPipeline(home, R"({"format": "millrace/1", "name": "MNIST", "nodes": [
        {"id": "images", "type": "data.idx", "at": [0, 0], "params": {"images": ")" +
                                              data + R"(/t10k-images-idx3-ubyte.gz",
          "labels": ")" + data + R"(/t10k-labels-idx1-ubyte.gz"}},
        {"id": "split", "type": "data.split", "at": [240, 0], "params": {"train": 0.8, "seed": 7}},
        {"id": "net", "type": "model.mlp", "at": [240, 160], "params": {"hidden": [512, 256], "dropout": 0.2}},
        {"id": "fit", "type": "train.supervised", "at": [720, 0],
         "params": {"epochs": 15, "batch_size": 64, "learning_rate": 0.001, "schedule": "cosine"}},
        {"id": "evaluate", "type": "evaluate.model", "at": [960, 0]}],
      "links": [["images.rows", "split.rows"], ["split.train", "fit.train"], ["split.test", "fit.validation"],
                ["net.model", "fit.model"], ["fit.model", "evaluate.model"], ["split.test", "evaluate.rows"]]})");
    QVERIFY2(run.status == 0, run.errors.constData());
    qInfo("MNIST MLP 512-256: accuracy %.4f in %.1f s (goals: 0.955, under 60 s)", metric(run, "test.accuracy"),
          run.json().value(QStringLiteral("seconds")).toDouble());
    QVERIFY(metric(run, "test.accuracy") >= 0.955);
}

void DataTest::mnistConvolutions()
{
    if (sharedData().isEmpty()) QSKIP("MNIST's test images are not on this machine");
    const Outcome run = trainMnist({});
    QVERIFY2(run.status == 0, run.errors.constData());
    qInfo("MNIST convolutions: accuracy %.4f in %.1f s (goals: 0.975, under 60 s)", metric(run, "test.accuracy"),
          run.json().value(QStringLiteral("seconds")).toDouble());
    QVERIFY(metric(run, "test.accuracy") >= 0.975);
}

QTEST_GUILESS_MAIN(DataTest)
#include "data_test.moc"
