// Models and rows travel through files unchanged, equal ones as equal bytes.
#include "engine/data/csv.h"
#include "engine/data/encode.h"
#include "engine/data/shard_writer.h"
#include "engine/data/standardize.h"
#include "engine/data/stored_rows.h"
#include "engine/formats/dataset_files.h"
#include "engine/formats/model_file.h"
#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"

#include <QTemporaryDir>
#include <QtTest>
#include <cmath>

using namespace millrace;
using namespace millrace::formats;

namespace {
data::Dataset rows()
{
    const auto raw =
        data::readCsv(data::openMemory("size,colour,t\n1.25,red,x\n?,blue,y\n3,red,x\n0.1,blue,y\n", ""), {}, "");
    return data::filled(*raw, nullptr)->train;
}

Model model()
{
    Model model;
    model.layers = pipeline::Json::parse(
        R"({"nodes": [{"id": "z", "type": "layer.dense"}, {"id": "a", "type": "layer.relu"}], "links": []})");
    model.schema = rows().schema;
    model.preprocessing = rows().preprocessing;
    model.metrics = {{"test.accuracy", 0.983}};
    model.targetOffset = 0.1;
    model.targetFactor = 1.0 / 3.0;
    model.tensors = {{"z.weight", {2, 3}, {1, 2, 3, 4, 5, 0.1F}}, {"a.bias", {1}, {-1}}};
    return model;
}

void compare(const Model& a, const Model& b)
{
    QCOMPARE(QString::fromStdString(a.layers.dump()), QString::fromStdString(b.layers.dump()));
    QVERIFY(a.schema == b.schema);
    QVERIFY(a.preprocessing == b.preprocessing);
    QVERIFY(a.metrics == b.metrics);
    QCOMPARE(a.targetOffset, b.targetOffset);
    QCOMPARE(a.targetFactor, b.targetFactor);
    QCOMPARE(a.tensors.size(), b.tensors.size());
    for (std::size_t i = 0; i < a.tensors.size(); ++i) {
        QCOMPARE(a.tensors[i].name, b.tensors[i].name);
        QVERIFY(a.tensors[i].shape == b.tensors[i].shape);
        QCOMPARE(a.tensors[i].values, b.tensors[i].values);
    }
}
} // namespace

class ModelTest : public QObject
{
    Q_OBJECT

private slots:
    void modelReturnsFromFolderAndFile();
    void equalModelsAreEqualBytes();
    void descriptionReadsWell();
    void damageIsRefused();
    void strangeFilesAreRefused_data();
    void strangeFilesAreRefused();
    void valuesThatAreNotFiniteAreNamed();
    void rowsReturnFromFiles();
    void storedRowsAreChecked();
    void rowsOnDiskAreFoundAgain();
};

void ModelTest::modelReturnsFromFolderAndFile()
{
    const QTemporaryDir folder;
    const std::string path = folder.filePath(QStringLiteral("model")).toStdString();
    const auto saved = saveModel(model(), path);
    QVERIFY2(saved, saved ? "" : saved.error().toString().c_str());
    for (const std::string& from : {path, saved->weightsPath}) {
        const auto loaded = loadModel(from);
        QVERIFY2(loaded, loaded ? "" : loaded.error().toString().c_str());
        compare(loaded->model, model());
        QCOMPARE(loaded->sha256, saved->sha256);
        QVERIFY(loaded->warnings.empty());
        const auto encoded = data::encodeLine(loaded->model.schema, loaded->model.preprocessing, "?,red");
        QVERIFY(encoded);
        QVERIFY(*encoded == *data::encodeLine(rows().schema, rows().preprocessing, "?,red"));
    }
}

void ModelTest::equalModelsAreEqualBytes()
{
    const auto first = modelToSafetensors(model());
    QVERIFY(first);
    QCOMPARE(sha256(*first), sha256(*modelToSafetensors(model())));
    // also after a journey through a file
    const auto parsed = Safetensors::parse(*first);
    QCOMPARE(*modelToSafetensors(*modelFromSafetensors(*parsed, "")), *first);
    const QTemporaryDir a, b;
    const auto one = saveModel(model(), a.path().toStdString()), two = saveModel(model(), b.path().toStdString());
    QCOMPARE(one->sha256, two->sha256);
    QCOMPARE(*readFile(one->descriptionPath, 1u << 20), *readFile(two->descriptionPath, 1u << 20));
}

void ModelTest::descriptionReadsWell()
{
    const QTemporaryDir folder;
    const auto saved = saveModel(model(), folder.path().toStdString());
    const auto json = pipeline::Json::parse(*readFile(saved->descriptionPath, 1u << 20));
    QCOMPARE(json["format"].get<std::string>(), std::string("millrace-model/1"));
    QCOMPARE(json["input"]["target"]["classes"].size(), 2U);
    QCOMPARE(json["preprocessing"][0]["kind"].get<std::string>(), std::string("table"));
    QCOMPARE(json["layers"]["nodes"][0]["id"].get<std::string>(), std::string("z"));
    QCOMPARE(json["weights"]["sha256"].get<std::string>(), sha256(*readFile(saved->weightsPath, 1u << 20)));
}

void ModelTest::damageIsRefused()
{
    const QTemporaryDir folder;
    const std::string path = folder.path().toStdString();
    const auto saved = saveModel(model(), path);
    const std::string good = *readFile(saved->weightsPath, 1u << 20);
    for (std::size_t i = 0; i < good.size(); i += 11) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 0x10);
        QVERIFY(durableReplace(saved->weightsPath, bad));
        const auto loaded = loadModel(path);
        QVERIFY(!loaded);
        QVERIFY(loaded.error().code == Code::Corrupt);
    }
    QVERIFY(removeAll(saved->weightsPath));
    QVERIFY(!loadModel(path));
    QVERIFY(!loadModel(path + "/none"));
}

void ModelTest::strangeFilesAreRefused_data()
{
    QTest::addColumn<QByteArray>("description");
    QTest::addColumn<int>("code");
    QTest::newRow("no JSON") << QByteArray("{") << static_cast<int>(Code::InvalidFormat);
    QTest::newRow("no model") << QByteArray("{}") << static_cast<int>(Code::InvalidFormat);
    QTest::newRow("newer") << QByteArray(R"({"format": "millrace-model/2"})") << static_cast<int>(Code::NewerFormat);
    QTest::newRow("deep") << QByteArray(R"({"format": "millrace-model/1", "layers": )")
                                 .append(QByteArray(100000, '['))
                                 .append(QByteArray(100000, ']'))
                                 .append('}')
                          << static_cast<int>(Code::InvalidFormat);
    QTest::newRow("no layers") << QByteArray(R"({"format": "millrace-model/1"})")
                               << static_cast<int>(Code::InvalidFormat);
}

void ModelTest::strangeFilesAreRefused()
{
    QFETCH(QByteArray, description);
    QFETCH(int, code);
    const auto bytes = writeSafetensors({}, {{"millrace.model", description.toStdString()}});
    const auto file = Safetensors::parse(*bytes);
    QVERIFY(file);
    const auto loaded = modelFromSafetensors(*file, "x");
    QVERIFY(!loaded);
    QCOMPARE(static_cast<int>(loaded.error().code), code);
    QVERIFY(!modelFromSafetensors(*Safetensors::parse(*writeSafetensors({})), "x"));
}

void ModelTest::valuesThatAreNotFiniteAreNamed()
{
    Model broken = model();
    broken.tensors[1].values[0] = std::nanf("");
    const QTemporaryDir folder;
    QVERIFY(saveModel(broken, folder.path().toStdString()));
    const auto loaded = loadModel(folder.path().toStdString());
    QVERIFY(loaded);
    QCOMPARE(loaded->warnings.size(), 1U);
    QVERIFY(loaded->warnings[0].find("a.bias") != std::string::npos);
}

void ModelTest::rowsReturnFromFiles()
{
    data::Dataset numbers = rows();
    numbers.schema.target = pipeline::TargetKind::Number;
    numbers.schema.classes.clear();
    numbers.labels.clear();
    numbers.targets = {1, 2.5F, -3, 0.1F};
    for (const data::Dataset& original : {rows(), numbers}) {
        auto files = toFiles(original, "train");
        QVERIFY(files);
        const auto back = datasetFromFiles(*files, "train");
        QVERIFY2(back, back ? "" : back.error().toString().c_str());
        QVERIFY(back->schema == original.schema);
        QVERIFY(back->preprocessing == original.preprocessing);
        QCOMPARE(back->features, original.features);
        QCOMPARE(back->labels, original.labels);
        QCOMPARE(back->targets, original.targets);
        QCOMPARE(back->notes, original.notes);
        QCOMPARE(*toFiles(*back, "train"), *files);
        QVERIFY(!datasetFromFiles(*files, "test"));
    }
}

void ModelTest::storedRowsAreChecked()
{
    data::Dataset wrong = rows();
    wrong.labels[0] = 2;
    QVERIFY(!datasetFromFiles(*toFiles(wrong, "rows"), "rows"));
    auto files = *toFiles(rows(), "rows");
    files["rows.json"] = "{}";
    QVERIFY(!datasetFromFiles(files, "rows"));
}

void ModelTest::rowsOnDiskAreFoundAgain()
{
    const QTemporaryDir folder;
    const std::string path = joinPath(folder.path().toStdString(), "rows");
    QVERIFY(data::writeShards(rows(), path, {}, {}));
    const auto all = data::openShards(path, 0);
    QVERIFY(all && all->stored);
    const auto scaled = data::scaled(data::select(*all, {true, false, true, true}), nullptr, data::ScaleMethod::MinMax);
    QVERIFY(scaled);
    const auto files = toFiles(scaled->train, "train");
    QVERIFY(files);
    const auto back = datasetFromFiles(*files, "train");
    QVERIFY2(back, back ? "" : back.error().toString().c_str());
    QVERIFY(back->stored && back->stored->chosen() == scaled->train.stored->chosen());
    QVERIFY(back->preprocessing == scaled->train.preprocessing);
    QCOMPARE(data::inMemory(*back)->features, data::inMemory(scaled->train)->features);
    // other rows in their place, or none, are no result
    data::Dataset other = rows();
    other.features[0] = 7;
    QVERIFY(data::writeShards(other, path, {}, {}));
    QVERIFY(!datasetFromFiles(*files, "train"));
    QVERIFY(removeAll(path));
    QVERIFY(!datasetFromFiles(*files, "train"));
}

QTEST_GUILESS_MAIN(ModelTest)
#include "model_test.moc"
