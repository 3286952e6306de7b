// Models as one node: what they become, how large they are beside the published figures, and that opening one changes
// nothing.
#include "engine/pipeline/model_builder.h"
#include "kernels/base/text.h"

#include <QtTest>

#include <set>

using namespace millrace;
using namespace millrace::pipeline;

namespace {
RowsSchema images(Shape shape, int classes)
{
    RowsSchema schema;
    schema.features = shape;
    schema.image = true;
    schema.rows = 1000;
    schema.target = TargetKind::Classes;
    for (int i = 0; i < classes; ++i) schema.classes.push_back(str(i));
    return schema;
}

RowsSchema text(std::int64_t vocabulary, std::int64_t context)
{
    RowsSchema schema;
    schema.features = {context};
    schema.target = TargetKind::NextToken;
    schema.vocabulary = vocabulary;
    return schema;
}

RowsSchema table(std::int64_t columns)
{
    RowsSchema schema;
    schema.features = {columns};
    schema.rows = 100;
    schema.target = TargetKind::Number;
    return schema;
}

RowsSchema rowsOf(const QString& name)
{
    if (name == QStringLiteral("digits")) return images({8, 8, 1}, 10);
    if (name == QStringLiteral("mnist")) return images({28, 28, 1}, 10);
    if (name == QStringLiteral("imagenet")) return images({224, 224, 3}, 1000);
    if (name == QStringLiteral("gpt2's text")) return text(50257, 1024);
    if (name == QStringLiteral("letters")) return text(65, 32);
    return table(7);
}

Node model(const QString& type, const QByteArray& params)
{
    return {"net", type.toStdString(), 0, 0, Json::parse(params.toStdString()), Json::object()};
}

// All that an executor would run on: operations with what they read and write, and how weights start. With the seed,
// a weight's name and this decide its first value.
std::string described(const graph::Graph& graph)
{
    std::string text;
    for (const graph::Tensor& tensor : graph.tensors())
        text += str(tensor.name, " ", tensor.shape.toString(), " ", static_cast<int>(tensor.initial), " ", tensor.fanIn,
                    " ", tensor.fanOut, " ", tensor.deviation, " ", tensor.decay, "\n");
    for (const graph::Operation& operation : graph.operations()) {
        text += str(operation.kind, " ", operation.layer);
        for (const graph::TensorId input : operation.inputs) text += str(" ", input);
        for (const auto& [key, value] : operation.attributes) text += str(" ", key, ":", value.index());
        text += "\n";
    }
    return text;
}
} // namespace

class ModelsTest : public QObject
{
    Q_OBJECT

private slots:
    void sizesAreThePublishedOnes_data();
    void sizesAreThePublishedOnes();
    void everyModelBuilds_data();
    void everyModelBuilds();
    void openingChangesNothing_data();
    void openingChangesNothing();
    void layersDoNotLieOnEachOther_data() { everyModelBuilds_data(); }
    void layersDoNotLieOnEachOther();
    void weightsKeepTheirNames();
    void gptStartsAsGpt2();
    void whatAModelCannotReadIsSaid_data();
    void whatAModelCannotReadIsSaid();
};

void ModelsTest::sizesAreThePublishedOnes_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QByteArray>("params");
    QTest::addColumn<QString>("rows");
    QTest::addColumn<qint64>("parameters");
    const auto row = [](const char* type, const char* params, const char* rows, qint64 parameters) {
        QTest::newRow(str(type, " ", params).c_str())
            << QString::fromLatin1(type) << QByteArray(params) << QString::fromLatin1(rows) << parameters;
    };
    // torchvision's resnet18, resnet34, resnet50 and mobilenet_v2; LeCun 1998's with a dense answer; GPT-2's smallest
    row("model.resnet", "{\"depth\": \"18\"}", "imagenet", 11'689'512);
    row("model.resnet", "{\"depth\": \"34\"}", "imagenet", 21'797'672);
    row("model.resnet", "{\"depth\": \"50\"}", "imagenet", 25'557'032);
    row("model.mobilenet", "{}", "imagenet", 3'504'872);
    row("model.mobilenet", "{\"width\": 0.5}", "imagenet", 1'968'680);
    row("model.lenet", "{}", "mnist", 61'706);
    row("model.gpt", "{\"size\": \"gpt2\"}", "gpt2's text", 124'439'808);
}

void ModelsTest::sizesAreThePublishedOnes()
{
    QFETCH(QString, type);
    QFETCH(QByteArray, params);
    QFETCH(QString, rows);
    QFETCH(qint64, parameters);
    const Catalogue catalogue = Catalogue::create();
    const RowsSchema schema = rowsOf(rows);
    const auto layers = expandModel(model(type, params), catalogue, schema);
    QVERIFY2(layers, layers ? "" : layers.error().toString().c_str());
    const auto graph = buildModel(*layers, catalogue, schema, 1);
    QVERIFY2(graph, graph ? "" : graph.error().toString().c_str());
    QCOMPARE(graph->parameterCount(), parameters);
}

void ModelsTest::everyModelBuilds_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QByteArray>("params");
    QTest::addColumn<QString>("rows");
    const auto row = [](const char* type, const char* params, const char* rows) {
        QTest::newRow(str(type, " ", params, " ", rows).c_str())
            << QString::fromLatin1(type) << QByteArray(params) << QString::fromLatin1(rows);
    };
    for (const char* rows : {"digits", "mnist", "table"}) row("model.mlp", "{\"dropout\": 0.1}", rows);
    for (const char* rows : {"digits", "mnist"}) {
        row("model.lenet", "{}", rows);
        row("model.resnet", "{\"width\": 8}", rows);
        row("model.resnet", "{\"depth\": \"50\", \"width\": 4}", rows);
        row("model.mobilenet", "{\"width\": 0.25}", rows);
    }
    row("model.lenet", "{\"activation\": \"tanh\", \"pooling\": \"average\"}", "mnist");
    row("model.resnet", "{\"stem\": \"imagenet\", \"width\": 8}", "mnist");
    row("model.mobilenet", "{\"stem\": \"imagenet\", \"dropout\": 0}", "mnist");
    for (const char* rows : {"mnist", "table", "letters"}) {
        row("model.lstm", "{\"units\": 8}", rows);
        row("model.lstm", "{\"units\": 8, \"layers\": 2, \"cell\": \"gru\", \"dropout\": 0.1}", rows);
    }
    row("model.gpt", "{\"size\": \"nano\"}", "letters");
    row("model.gpt", "{\"layers\": 1, \"heads\": 2, \"width\": 8, \"context\": 32, \"dropout\": 0}", "letters");
}

void ModelsTest::everyModelBuilds()
{
    QFETCH(QString, type);
    QFETCH(QByteArray, params);
    QFETCH(QString, rows);
    const Catalogue catalogue = Catalogue::create();
    const RowsSchema schema = rowsOf(rows);
    const auto layers = expandModel(model(type, params), catalogue, schema);
    QVERIFY2(layers, layers ? "" : layers.error().toString().c_str());
    const auto graph = buildModel(*layers, catalogue, schema, 2);
    QVERIFY2(graph, graph ? "" : graph.error().toString().c_str());
    const Shape answer =
        schema.vocabulary > 0 ? Shape{2, schema.features[0], schema.vocabulary} : Shape{2, answersPerRow(schema)};
    QCOMPARE(graph->tensor(*graph->port("output")).shape, answer);
    // before the rows are known it can be opened as well
    QVERIFY(expandModel(model(type, params), catalogue, RowsSchema{}));
}

void ModelsTest::openingChangesNothing_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QByteArray>("params");
    QTest::addColumn<QString>("rows");
    const auto row = [](const char* type, const char* params, const char* rows) {
        QTest::newRow(type) << QString::fromLatin1(type) << QByteArray(params) << QString::fromLatin1(rows);
    };
    row("model.mlp", "{\"hidden\": [9, 5], \"dropout\": 0.3}", "digits");
    row("model.lenet", "{}", "mnist");
    row("model.resnet", "{\"width\": 4}", "digits");
    row("model.mobilenet", "{\"width\": 0.1}", "digits");
    row("model.lstm", "{\"units\": 8}", "letters");
    row("model.gpt", "{\"size\": \"nano\"}", "letters");
}

void ModelsTest::openingChangesNothing()
{
    QFETCH(QString, type);
    QFETCH(QByteArray, params);
    QFETCH(QString, rows);
    const Catalogue catalogue = Catalogue::create();
    const RowsSchema schema = rowsOf(rows);
    const auto layers = expandModel(model(type, params), catalogue, schema);
    QVERIFY(layers);

    // what the canvas keeps: a node of layers in a file
    Document document;
    Node opened{"net", "model.layers", 0, 0, Json::object(), Json::object()};
    opened.params["layers"] = layersToJson(*layers);
    document.nodes.push_back(opened);
    const auto read = parseDocument(toText(document));
    QVERIFY2(read, read ? "" : read.error().toString().c_str());
    const auto again = expandModel(*read->find("net"), catalogue, schema);
    QVERIFY(again);

    const auto before = buildModel(*layers, catalogue, schema, 2), after = buildModel(*again, catalogue, schema, 2);
    QVERIFY(before && after);
    QCOMPARE(QString::fromStdString(described(*after)), QString::fromStdString(described(*before)));
}

void ModelsTest::layersDoNotLieOnEachOther()
{
    QFETCH(QString, type);
    QFETCH(QByteArray, params);
    QFETCH(QString, rows);
    const auto layers = expandModel(model(type, params), Catalogue::create(), rowsOf(rows));
    QVERIFY(layers);
    std::set<std::pair<double, double>> places;
    for (const Node& node : layers->nodes) QVERIFY2(places.emplace(node.x, node.y).second, node.id.c_str());
}

void ModelsTest::weightsKeepTheirNames()
{
    const Catalogue catalogue = Catalogue::create();
    const RowsSchema schema = text(65, 32);
    const auto layers = expandModel(model(QStringLiteral("model.gpt"), "{\"layers\": 1}"), catalogue, schema);
    const auto graph = buildModel(*layers, catalogue, schema, 1);
    QVERIFY2(graph, graph ? "" : graph.error().toString().c_str());
    std::string names;
    for (const graph::Tensor& tensor : graph->tensors())
        if (tensor.role == graph::Role::Parameter) names += tensor.name + " ";
    QCOMPARE(names, std::string("embedding.weight position.weight block1.norm1.scale block1.norm1.bias "
                                "block1.attention.qkv.weight block1.attention.qkv.bias block1.attention.out.weight "
                                "block1.attention.out.bias block1.norm2.scale block1.norm2.bias block1.dense1.weight "
                                "block1.dense1.bias block1.dense2.weight block1.dense2.bias norm.scale norm.bias "));
}

void ModelsTest::gptStartsAsGpt2()
{
    const Catalogue catalogue = Catalogue::create();
    const RowsSchema schema = text(65, 32);
    const auto layers = expandModel(model(QStringLiteral("model.gpt"), "{\"layers\": 8}"), catalogue, schema);
    const auto graph = buildModel(*layers, catalogue, schema, 1);
    QVERIFY(graph);
    for (const graph::Tensor& tensor : graph->tensors()) {
        if (tensor.role != graph::Role::Parameter) continue;
        const bool weight = tensor.name.ends_with(".weight");
        const bool residual = tensor.name.ends_with("out.weight") || tensor.name.ends_with("dense2.weight");
        if (weight) {
            QCOMPARE(tensor.initial, graph::Tensor::Initial::Normal);
            QCOMPARE(tensor.deviation, residual ? 0.005 : 0.02); // 0.02 / √(2·8)
        }
        QCOMPARE(tensor.decay, weight);
        if (tensor.name.ends_with(".bias")) QCOMPARE(tensor.initial, graph::Tensor::Initial::Zero);
    }
}

void ModelsTest::whatAModelCannotReadIsSaid_data()
{
    QTest::addColumn<QString>("type");
    QTest::addColumn<QString>("rows");
    QTest::addColumn<QString>("message");
    const auto row = [](const char* type, const char* rows, const char* message) {
        QTest::newRow(str(type, " ", rows).c_str())
            << QString::fromLatin1(type) << QString::fromLatin1(rows) << QString::fromUtf8(message);
    };
    row("model.gpt", "mnist", "GPT reads tokens, but it is trained on images of 28×28×1.");
    row("model.gpt", "table", "GPT reads tokens, but it is trained on rows of 7 numbers.");
    row("model.mlp", "letters", "MLP reads numbers, but it is trained on tokens of a text.");
    row("model.resnet", "letters", "ResNet reads images, but it is trained on tokens of a text.");
    row("model.lenet", "table", "LeNet reads images, but it is trained on rows of 7 numbers.");
}

void ModelsTest::whatAModelCannotReadIsSaid()
{
    QFETCH(QString, type);
    QFETCH(QString, rows);
    QFETCH(QString, message);
    const auto layers = expandModel(model(type, "{}"), Catalogue::create(), rowsOf(rows));
    QVERIFY(!layers);
    QCOMPARE(QString::fromStdString(layers.error().message), message);
    QVERIFY(!layers.error().advice.empty());
    QCOMPARE(layers.error().subject.node, std::string("net"));
}

QTEST_GUILESS_MAIN(ModelsTest)
#include "models_test.moc"
