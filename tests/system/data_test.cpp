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
    Outcome trainMnist(const QByteArray& model, int epochs);
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

Outcome DataTest::trainMnist(const QByteArray& model, int epochs)
{
    const Home home;
    const QByteArray data = sharedData().toUtf8();
    return runPipeline(home, R"({"format": "millrace/1", "name": "MNIST", "nodes": [
        {"id": "images", "type": "data.idx", "at": [0, 0], "params": {"images": ")" +
                                 data + R"(/t10k-images-idx3-ubyte.gz",
          "labels": ")" + data + R"(/t10k-labels-idx1-ubyte.gz"}},
        {"id": "split", "type": "data.split", "at": [240, 0], "params": {"train": 0.8, "seed": 7}},
        )" + model + R"(,
        {"id": "fit", "type": "train.supervised", "at": [720, 0],
         "params": {"epochs": )" +
                                 QByteArray::number(epochs) +
                                 R"(, "batch_size": 64, "learning_rate": 0.001, "schedule": "cosine"}},
        {"id": "evaluate", "type": "evaluate.model", "at": [960, 0]}],
      "links": [["images.rows", "split.rows"], ["split.train", "fit.train"], ["split.test", "fit.validation"],
                ["net.model", "fit.model"], ["fit.model", "evaluate.model"], ["split.test", "evaluate.rows"]]})");
}

void DataTest::mnistPerceptron()
{
    if (sharedData().isEmpty()) QSKIP("MNIST's test images are not on this machine");
    const Outcome run = trainMnist(
        R"({"id": "net", "type": "model.mlp", "at": [240, 160], "params": {"hidden": [512, 256], "dropout": 0.2}})",
        10);
    QVERIFY2(run.status == 0, run.errors.constData());
    qInfo("MNIST MLP 512-256: accuracy %.4f in %.1f s (goals: 0.955, under 60 s)", metric(run, "test.accuracy"),
          run.json().value(QStringLiteral("seconds")).toDouble());
    QVERIFY(metric(run, "test.accuracy") >= 0.955);
}

void DataTest::mnistConvolutions()
{
    if (sharedData().isEmpty()) QSKIP("MNIST's test images are not on this machine");
    QFile file(QStringLiteral(MILLRACE_SOURCE_DIR "/resources/templates/mnist.millrace"));
    QVERIFY(file.open(QIODevice::ReadOnly));
    QByteArray net;
    for (const auto& node : QJsonDocument::fromJson(file.readAll()).object().value(QStringLiteral("nodes")).toArray())
        if (node.toObject().value(QStringLiteral("type")).toString() == QStringLiteral("model.layers")) {
            QJsonObject object = node.toObject();
            object[QStringLiteral("id")] = QStringLiteral("net");
            net = QJsonDocument(object).toJson();
        }
    QVERIFY(!net.isEmpty());
    const Outcome run = trainMnist(net, 5);
    QVERIFY2(run.status == 0, run.errors.constData());
    qInfo("MNIST convolutions: accuracy %.4f in %.1f s (goals: 0.975, under 60 s)", metric(run, "test.accuracy"),
          run.json().value(QStringLiteral("seconds")).toDouble());
    QVERIFY(metric(run, "test.accuracy") >= 0.975);
}

QTEST_GUILESS_MAIN(DataTest)
#include "data_test.moc"
