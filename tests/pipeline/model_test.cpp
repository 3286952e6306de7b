// From layers to the model graph: operations, weights, shapes; model.mlp as layers.
#include "engine/graph/operations.h"
#include "engine/pipeline/layer_operations.h"
#include "engine/pipeline/model_builder.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <QtTest>

using namespace millrace;
using namespace millrace::pipeline;

namespace {
RowsSchema digits()
{
    RowsSchema schema;
    schema.features = {8, 8, 1};
    schema.image = true;
    schema.rows = 1797;
    schema.target = TargetKind::Classes;
    for (int i = 0; i < 10; ++i) schema.classes.push_back(str(i));
    return schema;
}

RowsSchema numbers(std::int64_t columns)
{
    RowsSchema schema;
    schema.features = {columns};
    schema.rows = 100;
    schema.target = TargetKind::Number;
    return schema;
}

Node mlp(Json params)
{
    return {"net", "model.mlp", 0, 0, std::move(params), Json::object()};
}

Node quickStartNet()
{
    const auto text = readFile(str(MILLRACE_SOURCE_DIR, "/resources/templates/quick_start.millrace"), 1 << 20);
    return *parseDocument(*text)->find("net");
}

std::string typesOf(const Document& layers)
{
    std::string text;
    for (const Node& node : layers.nodes) text += str(text.empty() ? "" : " ", node.type.substr(6));
    return text;
}

std::string kindsOf(const graph::Graph& graph)
{
    std::string text;
    for (const graph::Operation& operation : graph.operations()) text += str(text.empty() ? "" : " ", operation.kind);
    return text;
}

const graph::Tensor* tensorOf(const graph::Graph& graph, std::string_view name)
{
    for (const graph::Tensor& tensor : graph.tensors())
        if (tensor.name == name) return &tensor;
    return nullptr;
}

Document layersOf(const std::string& json)
{
    return *layersFromJson(Json::parse(json));
}
} // namespace

class ModelTest : public QObject
{
    Q_OBJECT

private slots:
    void everyLayerTypeBuilds_data();
    void everyLayerTypeBuilds();
    void quickStartBecomesAGraph();
    void weightsStartAndDecayAsTheyShould();
    void mlpBecomesLayers_data();
    void mlpBecomesLayers();
    void mlpAnswersOneNumber();
    void samePaddingKeepsTheSize_data();
    void samePaddingKeepsTheSize();
    void whatLeadsNowhereIsNotBuilt();
    void refusals();
};

void ModelTest::everyLayerTypeBuilds_data()
{
    QTest::addColumn<QString>("type");
    const Catalogue catalogue = Catalogue::create();
    for (const NodeSpec& spec : catalogue.all())
        if (spec.isLayer && spec.type != "layer.input" && spec.type != "layer.output")
            QTest::newRow(spec.type.c_str()) << QString::fromStdString(spec.type);
}

void ModelTest::everyLayerTypeBuilds()
{
    QFETCH(QString, type);
    const Catalogue catalogue = Catalogue::create();
    const NodeSpec& spec = *catalogue.find(type.toStdString());
    graph::Graph graph;
    graph::Tensor features;
    features.name = "features";
    const bool flat = spec.type == "layer.dense",
               image = spec.category == "Pooling" || spec.type.find("conv") != std::string::npos;
    const bool tokens = spec.type == "layer.embedding";
    features.type = tokens ? DType::I32 : DType::F32;
    features.shape = flat ? Shape{2, 6} : image ? Shape{2, 4, 4, 3} : tokens ? Shape{2, 5} : Shape{2, 5, 8};
    const graph::TensorId input = graph.addTensor(features);
    const Node node{"layer", spec.type, 0, 0, Json::object(), Json::object()};
    const LayerSite site{node, spec, std::vector<graph::TensorId>(spec.inputs.size(), input), 10, tokens ? 50 : 0};
    const auto output = addLayer(graph, site);
    QVERIFY2(output, output ? "" : output.error().toString().c_str());
    QVERIFY(output->has_value());
    QVERIFY(!graph.operations().empty());
    for (const graph::Operation& operation : graph.operations()) QCOMPARE(operation.layer, std::string("layer"));
    QCOMPARE(**output, graph.operations().back().outputs.front());
}

void ModelTest::quickStartBecomesAGraph()
{
    const Catalogue catalogue = Catalogue::create();
    const auto layers = expandModel(quickStartNet(), catalogue, digits());
    QVERIFY(layers);
    const auto graph = buildModel(*layers, catalogue, digits(), 32);
    QVERIFY2(graph, graph ? "" : graph.error().toString().c_str());
    QCOMPARE(kindsOf(*graph),
             std::string("conv2d batch_norm relu conv2d batch_norm relu max_pool2d flatten dense relu dropout dense"));
    QCOMPARE(graph->tensor(*graph->port("features")).shape, (Shape{32, 8, 8, 1}));
    QCOMPARE(graph->tensor(*graph->port("features")).role, graph::Role::Input);
    QCOMPARE(graph->tensor(*graph->port("output")).shape, (Shape{32, 10}));
    QCOMPARE(graph->parameterCount(), std::int64_t{160 + 32 + 4640 + 64 + 32832 + 650});
}

void ModelTest::weightsStartAndDecayAsTheyShould()
{
    using Initial = graph::Tensor::Initial;
    const Catalogue catalogue = Catalogue::create();
    const auto graph = buildModel(*expandModel(quickStartNet(), catalogue, digits()), catalogue, digits(), 1);
    QVERIFY(graph);
    const graph::Tensor* conv = tensorOf(*graph, "conv2.weight");
    QVERIFY(conv);
    QCOMPARE(conv->shape, (Shape{32, 3, 3, 16}));
    QCOMPARE(conv->role, graph::Role::Parameter);
    QCOMPARE(conv->initial, Initial::KaimingUniform);
    QCOMPARE(conv->fanIn, std::int64_t{144});
    QCOMPARE(conv->fanOut, std::int64_t{288});
    QVERIFY(conv->decay);
    const graph::Tensor* answer = tensorOf(*graph, "answer.weight");
    QCOMPARE(answer->shape, (Shape{10, 64}));
    QCOMPARE(answer->initial, Initial::KaimingUniform);
    QCOMPARE(answer->fanIn, std::int64_t{64});
    QVERIFY(!tensorOf(*graph, "conv2.bias")->decay);
    QCOMPARE(tensorOf(*graph, "conv2.bias")->initial, Initial::KaimingUniform);
    QCOMPARE(tensorOf(*graph, "conv2.bias")->fanIn, std::int64_t{144});
    QVERIFY(!tensorOf(*graph, "norm1.scale")->decay);
    QCOMPARE(tensorOf(*graph, "norm1.scale")->initial, Initial::One);
    QCOMPARE(tensorOf(*graph, "norm1.running_variance")->initial, Initial::One);
    QCOMPARE(tensorOf(*graph, "norm1.running_variance")->role, graph::Role::State);
    QCOMPARE(tensorOf(*graph, "norm1.running_mean")->initial, Initial::Zero);
}

void ModelTest::mlpBecomesLayers_data()
{
    QTest::addColumn<QByteArray>("params");
    QTest::addColumn<bool>("image");
    QTest::addColumn<QString>("types");
    QTest::newRow("default") << QByteArray("{}") << false << QStringLiteral("input dense relu dense output");
    QTest::newRow("of images") << QByteArray("{}") << true << QStringLiteral("input flatten dense relu dense output");
    QTest::newRow("linear") << QByteArray("{\"hidden\": []}") << false << QStringLiteral("input dense output");
    QTest::newRow("two, dropout") << QByteArray("{\"hidden\": [512, 256], \"dropout\": 0.5, \"activation\": \"tanh\"}")
                                  << true
                                  << QStringLiteral("input flatten dense tanh dropout dense tanh dropout dense output");
}

void ModelTest::mlpBecomesLayers()
{
    QFETCH(QByteArray, params);
    QFETCH(bool, image);
    QFETCH(QString, types);
    const Catalogue catalogue = Catalogue::create();
    const RowsSchema schema = image ? digits() : numbers(4);
    const auto layers = expandModel(mlp(Json::parse(params.toStdString())), catalogue, schema);
    QVERIFY(layers);
    QCOMPARE(QString::fromStdString(typesOf(*layers)), types);
    const auto graph = buildModel(*layers, catalogue, schema, 5);
    QVERIFY2(graph, graph ? "" : graph.error().toString().c_str());
    QVERIFY(*parseDocument(toText(*layers)) == *layers); // it can be opened as a graph of its own
}

void ModelTest::mlpAnswersOneNumber()
{
    const Catalogue catalogue = Catalogue::create();
    const auto graph =
        buildModel(*expandModel(mlp({{"hidden", {8}}}), catalogue, numbers(4)), catalogue, numbers(4), 3);
    QVERIFY(graph);
    QCOMPARE(graph->tensor(*graph->port("output")).shape, (Shape{3, 1}));
    QCOMPARE(graph->parameterCount(), std::int64_t{4 * 8 + 8 + 8 + 1});
}

void ModelTest::samePaddingKeepsTheSize_data()
{
    QTest::addColumn<QByteArray>("params");
    QTest::addColumn<int>("size"); // of a side, from 8
    QTest::newRow("3") << QByteArray("{\"kernel\": 3}") << 8;
    QTest::newRow("1") << QByteArray("{\"kernel\": 1}") << 8;
    QTest::newRow("7, dilation 2") << QByteArray("{\"kernel\": 7, \"dilation\": 2}") << 8;
    QTest::newRow("4, dilation 2") << QByteArray("{\"kernel\": 4, \"dilation\": 2}") << 8;
    QTest::newRow("3, stride 2") << QByteArray("{\"kernel\": 3, \"stride\": 2}") << 4;
    QTest::newRow("3, stride 3") << QByteArray("{\"kernel\": 3, \"stride\": 3}") << 3;
    QTest::newRow("valid") << QByteArray("{\"kernel\": 3, \"padding\": \"valid\"}") << 6;
    QTest::newRow("valid, even") << QByteArray("{\"kernel\": 4, \"padding\": \"valid\"}") << 5;
}

void ModelTest::samePaddingKeepsTheSize()
{
    QFETCH(QByteArray, params);
    QFETCH(int, size);
    Document layers =
        layersOf(R"({"nodes": [{"id": "in", "type": "layer.input"}, {"id": "conv", "type": "layer.conv2d"},
        {"id": "flat", "type": "layer.flatten"}, {"id": "answer", "type": "layer.dense"}, {"id": "out", "type": "layer.output"}],
        "links": [["in.out", "conv.in"], ["conv.out", "flat.in"], ["flat.out", "answer.in"], ["answer.out", "out.in"]]})");
    layers.find("conv")->params = Json::parse(params.toStdString());
    const auto graph = buildModel(layers, Catalogue::create(), digits(), 2);
    QVERIFY2(graph, graph ? "" : graph.error().toString().c_str());
    QCOMPARE(tensorOf(*graph, "conv.out")->shape, (Shape{2, size, size, 32}));
}

void ModelTest::whatLeadsNowhereIsNotBuilt()
{
    const Document layers =
        layersOf(R"({"nodes": [{"id": "in", "type": "layer.input"}, {"id": "spare", "type": "layer.dense"},
        {"id": "answer", "type": "layer.dense"}, {"id": "out", "type": "layer.output"}],
        "links": [["in.out", "answer.in"], ["in.out", "spare.in"], ["answer.out", "out.in"]]})");
    const auto graph = buildModel(layers, Catalogue::create(), numbers(3), 2);
    QVERIFY(graph);
    QVERIFY(!tensorOf(*graph, "spare.weight"));
}

void ModelTest::refusals()
{
    const Catalogue catalogue = Catalogue::create();
    const Document linear = *expandModel(mlp({{"hidden", Json::array()}}), catalogue, numbers(3));
    RowsSchema noTarget = numbers(3);
    noTarget.target = TargetKind::None;
    QCOMPARE(buildModel(linear, catalogue, noTarget, 1).error().code, Code::InvalidArgument);
    QCOMPARE(buildModel(linear, catalogue, numbers(3), 0).error().code, Code::InvalidArgument);
    QCOMPARE(buildModel(linear, catalogue, numbers(0), 1).error().message,
             std::string("The rows have no features, so there is nothing to learn from."));
    QVERIFY(!buildModel(Document{}, catalogue, numbers(3), 1));
    QCOMPARE(expandModel(mlp({{"hidden", 3}}), catalogue, digits()).error().subject.parameter, std::string("hidden"));
    const Node misspelt{"x", "model.mpl", 0, 0, Json::object(), Json::object()};
    QCOMPARE(expandModel(misspelt, catalogue, digits()).error().code, Code::NotFound);
    QVERIFY(expandModel(misspelt, catalogue, digits()).error().advice.starts_with("Did you mean model.mlp"));
    QCOMPARE(
        expandModel({"x", "data.split", 0, 0, Json::object(), Json::object()}, catalogue, digits()).error().message,
        std::string("Split (data.split) is no model."));
}

QTEST_GUILESS_MAIN(ModelTest)
#include "model_test.moc"
