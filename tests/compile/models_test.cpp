// Fusion and storage types on whole models and on random graphs: the same numbers as before, in plans that hold.
#include "engine/compile/fusion.h"
#include "engine/compile/storage.h"
#include "engine/graph/operations.h"
#include "engine/pipeline/model_builder.h"
#include "kernels/base/text.h"
#include "tests/compile/plan_verifier.h"
#include "tests/compile/random_graph.h"
#include "tests/compile/reference_interpreter.h"

#include <QtTest>

#include <algorithm>
#include <cmath>

using namespace millrace;
using namespace millrace::compile;
using graph::Graph;
using graph::Operation;
using graph::Role;
using kernels::reference::Values;
using pipeline::Json;

namespace {

constexpr int kClasses = 5, kVocabulary = 11, kSteps = 6;

pipeline::RowsSchema schemaOf(const std::string& model)
{
    pipeline::RowsSchema schema;
    schema.rows = 100;
    if (model == "model.gpt") {
        schema.features = {kSteps};
        schema.target = pipeline::TargetKind::NextToken;
        schema.vocabulary = kVocabulary;
        return schema;
    }
    schema.features = {12, 12, 3};
    schema.image = true;
    schema.target = pipeline::TargetKind::Classes;
    for (int i = 0; i < kClasses; ++i) schema.classes.push_back(str(i));
    return schema;
}

/// The value; what is wrong is printed before the test ends by the exception that value() throws.
template <class T> T checked(Result<T> result)
{
    if (!result) qWarning("%s", result.error().toString().c_str());
    return std::move(result).value();
}

Graph built(const std::string& model, const Json& params, const pipeline::RowsSchema& schema, std::int64_t batch)
{
    static const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    const pipeline::Node node{"net", model, 0, 0, params, Json::object()};
    const auto layers = checked(pipeline::expandModel(node, catalogue, schema));
    return checked(pipeline::buildModel(layers, catalogue, schema, batch));
}

Graph modelOf(const QString& model)
{
    const QStringList words = model.split(QLatin1Char(' '));
    const std::string type = "model." + words[0].toStdString();
    Json params = Json::parse(words.size() > 1 ? words[1].toStdString() : "{}");
    return built(type, params, schemaOf(type), 3);
}

void addModels()
{
    QTest::addColumn<QString>("model");
    for (const char* model :
         {"mlp", R"(mlp {"activation":"gelu"})", "lenet", R"(resnet {"width":4})", R"(resnet {"depth":"50","width":4})",
          R"(mobilenet {"width":0.25})", R"(lstm {"units":5})",
          R"(gpt {"size":"nano","layers":2,"heads":2,"width":8,"context":6,"dropout":0})",
          R"(gpt {"size":"nano","layers":2,"heads":2,"width":8,"context":6})"})
        QTest::newRow(model) << QString::fromLatin1(model);
}

/// ‖a - b‖ / ‖b‖.
double distance(const Values& a, const Values& b)
{
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < b.size(); ++i) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return std::sqrt(norm > 0 ? difference / norm : difference);
}

std::map<std::string, Values> resultsOf(const Graph& graph, Mode mode)
{
    ReferenceInterpreter interpreter(graph, mode, kClasses);
    const Status done = interpreter.run();
    if (!done) qWarning("%s", done.error().toString().c_str());
    return done ? interpreter.results() : std::map<std::string, Values>();
}

/// Where the graph gives other numbers than those expected; empty where it does not.
std::string differenceOf(const Graph& graph, Mode mode, const std::map<std::string, Values>& expected)
{
    const auto results = resultsOf(graph, mode);
    if (results.empty()) return "it does not run";
    if (results.size() != expected.size()) return "another number of ports and states";
    for (const auto& [name, values] : expected) {
        if (!results.contains(name) || results.at(name).size() != values.size()) return str("no ", name);
        const double off = distance(results.at(name), values);
        if (!(off < 1e-9)) return str(name, " is off by ", off);
    }
    return {};
}

std::size_t count(const Graph& graph, std::string_view kind)
{
    return static_cast<std::size_t>(std::ranges::count(graph.operations(), kind, &Operation::kind));
}

std::size_t countWith(const Graph& graph, std::string_view kind, std::size_t inputs)
{
    return static_cast<std::size_t>(std::ranges::count_if(graph.operations(), [&](const Operation& operation) {
        return operation.kind == kind && operation.inputs.size() == inputs;
    }));
}

/// What of a graph is not as storage types have it; empty where all is.
std::string wrongType(const Graph& graph, DType storage)
{
    for (const auto& [name, id] : graph.ports()) {
        const DType type = graph.tensor(id).type;
        if (type != DType::F32 && type != DType::I32) return str("port ", name, " is ", millrace::name(type));
    }
    for (const graph::Tensor& tensor : graph.tensors()) {
        const bool master = tensor.role == Role::Parameter || tensor.role == Role::Gradient;
        if (master && tensor.type != DType::F32) return str(tensor.name, " is ", name(tensor.type));
        if (tensor.role == Role::Mirror && tensor.type != storage) return str(tensor.name, " is ", name(tensor.type));
    }
    for (const Operation& operation : graph.operations()) {
        const DType type = graph::storageTypeOf(graph, operation);
        const bool sumOfGradients = graph.tensor(operation.outputs[0]).role == Role::Gradient;
        if (operation.kind == "cast" || graph::findKind(operation.kind).value()->f32Alone || sumOfGradients) continue;
        if (type != storage) return str(operation.layer, "'s ", operation.kind, " is in ", name(type));
    }
    return {};
}

} // namespace

class ModelsTest : public QObject
{
    Q_OBJECT

private slots:
    void modelsGiveTheSame_data() { addModels(); }
    void modelsGiveTheSame();
    void modelsPlan_data() { addModels(); }
    void modelsPlan();
    void randomGraphsGiveTheSame();
    void whatIsFused();
    void aDecoderStoresItsCaches();
    void mirrorsLieAsTheirParameters();
    void wrongTypesAreRefused();
    void memoryOfGpt2();
};

void ModelsTest::modelsGiveTheSame()
{
    QFETCH(QString, model);
    const Graph forward = modelOf(model);
    const Graph trained = withGradients(forward, Loss::CrossEntropy).value();
    const std::pair<Graph, Mode> graphs[] = {{trained, Mode::Training},
                                             {withRecompute(trained).value(), Mode::Training},
                                             {withLoss(forward, Loss::CrossEntropy).value(), Mode::Inference}};
    for (const auto& [graph, mode] : graphs) {
        const auto expected = resultsOf(graph, mode);
        const Graph fused = checked(withFusion(graph));
        QCOMPARE(differenceOf(fused, mode, expected), std::string());
        QCOMPARE(differenceOf(withStorage(graph, DType::F16).value(), mode, expected), std::string());
        const Graph stored = checked(withStorage(fused, DType::BF16));
        QCOMPARE(differenceOf(stored, mode, expected), std::string());
        QCOMPARE(wrongType(stored, DType::BF16), std::string());
    }
}

void ModelsTest::modelsPlan()
{
    QFETCH(QString, model);
    const Graph forward = modelOf(model);
    const Graph trained = withGradients(forward, Loss::CrossEntropy).value();
    const Program plain = plan(trained, Mode::Training).value();
    for (const Graph& graph : {trained, withRecompute(trained).value()}) {
        const Program fused = plan(withFusion(graph).value(), Mode::Training).value();
        QCOMPARE(whatIsWrong(fused), std::string());
        QCOMPARE(fused.mirrorBytes, std::uint64_t{0});
        const Program stored = plan(withStorage(fused.graph, DType::BF16).value(), Mode::Training).value();
        QCOMPARE(whatIsWrong(stored), std::string());
        QCOMPARE(stored.parameterBytes, plain.parameterBytes);
        QCOMPARE(stored.mirrorBytes, plain.parameterBytes / 2);
    }
    const Graph inference = withStorage(withFusion(forward).value(), DType::F16).value();
    QCOMPARE(whatIsWrong(plan(inference, Mode::Inference).value()), std::string());
}

void ModelsTest::randomGraphsGiveTheSame()
{
    std::map<std::string, int> fusedKinds;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
        const Loss loss = seed % 2 == 0 ? Loss::CrossEntropy : Loss::MeanSquaredError;
        const Graph forward = randomGraph(seed, 2 + static_cast<std::int64_t>(seed % 3));
        for (const Mode mode : {Mode::Training, Mode::Inference}) {
            const Graph graph = (mode == Mode::Training ? withGradients : withLoss)(forward, loss, {}).value();
            const Graph fused = withFusion(graph).value();
            const Graph stored = withStorage(fused, DType::BF16).value();
            const auto expected = resultsOf(graph, mode);
            for (const Graph& other : {fused, stored}) {
                const std::string wrong = differenceOf(other, mode, expected);
                QVERIFY2(wrong.empty(), str("seed ", seed, ": ", wrong).c_str());
                const std::string broken = whatIsWrong(plan(other, mode).value());
                QVERIFY2(broken.empty(), str("seed ", seed, ": ", broken).c_str());
            }
            for (const Operation& operation : fused.operations()) {
                const bool changed = operation.attributes.contains("activation") ||
                                     operation.kind == "add_layer_norm" ||
                                     (operation.kind == "layer_norm_backward" && operation.inputs.size() == 6);
                if (changed) ++fusedKinds[operation.kind + operation.text("activation")];
            }
        }
    }
    for (const auto& [kind, times] : fusedKinds) qInfo("%s: %d", kind.c_str(), times);
    QCOMPARE(fusedKinds.size(), std::size_t{8}); // every one of them at least once
}

void ModelsTest::whatIsFused()
{
    // of each of the two blocks: both sums with the norms after them, the GELU, and their gradients
    const Graph gpt = withFusion(withGradients(modelOf(QStringLiteral("gpt {\"size\":\"nano\",\"layers\":2,\"heads\":2,"
                                                                      "\"width\":8,\"context\":6,\"dropout\":0}")),
                                               Loss::CrossEntropy)
                                     .value())
                          .value();
    QCOMPARE(count(gpt, "add_layer_norm"), std::size_t{4});
    QCOMPARE(count(gpt, "layer_norm"), std::size_t{1}); // the first one, which no sum precedes
    QCOMPARE(countWith(gpt, "layer_norm_backward", 6), std::size_t{4});
    QCOMPARE(countWith(gpt, "layer_norm_backward", 5), std::size_t{1}); // the last one, which no residual passes
    QCOMPARE(countWith(gpt, "dense_backward_data", 3), std::size_t{2});
    QCOMPARE(count(gpt, "gelu") + count(gpt, "gelu_backward"), std::size_t{0});
    QCOMPARE(count(gpt, "add"), std::size_t{1}); // of the two gradients of the shared table

    for (const char* model : {R"(resnet {"width":4})", R"(resnet {"depth":"50","width":4})"}) {
        const Graph trained = withGradients(modelOf(QString::fromLatin1(model)), Loss::CrossEntropy).value();
        const Graph resnet = withFusion(trained).value();
        QCOMPARE(count(resnet, "relu") + count(resnet, "relu_backward"), std::size_t{0});
        QCOMPARE(countWith(resnet, "batch_norm", 6),
                 count(resnet, "batch_norm") > 30 ? std::size_t{16} : std::size_t{8});
    }

    // where something else reads what would vanish, it stays
    Graph graph;
    const auto x = tensor(graph, "features", {4, 6}, Role::Input);
    const auto hidden = dense(graph, "fc1", x, 6);
    const auto active = graph.add("relu", "relu", {hidden}).value()[0];
    graph.ports()["features"] = x;
    graph.ports()["output"] = dense(graph, "fc2", graph.add("add", "sum", {hidden, active}).value()[0], 3);
    QCOMPARE(count(withFusion(graph).value(), "relu"), std::size_t{1});
    graph.ports()["hidden"] = hidden;
    QCOMPARE(count(withFusion(graph).value(), "relu"), std::size_t{1});
}

void ModelsTest::aDecoderStoresItsCaches()
{
    static const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    const auto schema = schemaOf("model.gpt");
    const pipeline::Node node{"net", "model.gpt", 0, 0, Json{{"size", "nano"}, {"context", kSteps}}, Json::object()};
    const auto layers = pipeline::expandModel(node, catalogue, schema).value();
    const Graph graph = pipeline::buildDecoder(layers, catalogue, schema, 1, kSteps).value();
    const Graph stored = withStorage(withFusion(graph).value(), DType::BF16).value();
    const Program program = plan(stored, Mode::Inference).value();
    QCOMPARE(whatIsWrong(program), std::string());
    QCOMPARE(program.stateBytes, plan(graph, Mode::Inference).value().stateBytes / 2);
    QCOMPARE(stored.tensor(stored.port("output").value()).type, DType::F32);
}

void ModelsTest::mirrorsLieAsTheirParameters()
{
    const Graph graph = withGradients(modelOf(QStringLiteral("resnet {\"width\":4}")), Loss::CrossEntropy).value();
    const Program program = plan(withStorage(graph, DType::F16).value(), Mode::Training).value();
    int mirrors = 0;
    for (graph::TensorId id = 0; id < program.placements.size(); ++id) {
        const graph::Tensor& tensor = program.graph.tensor(id);
        if (tensor.role != Role::Mirror) continue;
        ++mirrors;
        QCOMPARE(program.graph.tensor(*tensor.origin).name + ".f16", tensor.name);
        QCOMPARE(program.placements[id].offset, program.placements[*tensor.origin].offset / 2);
        QCOMPARE(program.placements[id].arena, Placement::Arena::Mirror);
        QVERIFY(tensor.name.find("norm") == std::string::npos); // its scale and bias are read as they are
    }
    QVERIFY(mirrors > 20);
    Program broken = program;
    for (graph::TensorId id = 0; id < broken.placements.size(); ++id)
        if (broken.placements[id].arena == Placement::Arena::Mirror) broken.placements[id].offset += 32;
    QVERIFY(!whatIsWrong(broken).empty());
}

void ModelsTest::wrongTypesAreRefused()
{
    const Graph graph = modelOf(QStringLiteral("mlp"));
    QCOMPARE(withStorage(graph, DType::I32).error().toString(),
             std::string("Activations can be stored as bf16 or f16, not as i32."));
    const Graph stored = withStorage(graph, DType::BF16).value();
    QCOMPARE(withStorage(stored, DType::F16).error().code, Code::InvalidArgument);
    QCOMPARE(withGradients(withFusion(graph).value(), Loss::CrossEntropy).error().toString(),
             std::string("node dense1: Layer dense1 was fused with what follows it and cannot be trained. Add the "
                         "gradients before the fusion."));
}

void ModelsTest::memoryOfGpt2()
{
    // printed for the README: what a step of GPT-2 with 124 million weights needs in bf16, but for kernels' scratch
    pipeline::RowsSchema schema = schemaOf("model.gpt");
    schema.features = {1024};
    schema.vocabulary = 50257;
    const auto gigabytes = [](std::uint64_t bytes) { return static_cast<double>(bytes) / 1e9; };
    for (const std::int64_t batch : {8, 16, 32, 64}) {
        const Graph forward = built("model.gpt", Json{{"size", "gpt2"}, {"dropout", 0}}, schema, batch);
        const Graph trained = withGradients(forward, Loss::CrossEntropy).value();
        const auto stored = [](const Graph& graph) {
            return plan(withStorage(withFusion(graph).value(), DType::BF16).value(), Mode::Training).value();
        };
        const Program kept = stored(trained), again = stored(withRecompute(trained).value());
        const std::uint64_t moments = 2 * kept.parameterBytes, f32 = plan(trained, Mode::Training).value().workBytes;
        qInfo("batch %lld: weights %.2f, mirror %.2f, gradients %.2f, moments %.2f, work %.2f, in all %.2f GB; with "
              "recompute work %.2f, in all %.2f GB; work in f32 %.2f GB",
              static_cast<long long>(batch), gigabytes(kept.parameterBytes), gigabytes(kept.mirrorBytes),
              gigabytes(kept.gradientBytes), gigabytes(moments), gigabytes(kept.workBytes),
              gigabytes(kept.peakBytes() + moments), gigabytes(again.workBytes), gigabytes(again.peakBytes() + moments),
              gigabytes(f32));
        QVERIFY(10 * kept.workBytes < 6 * f32);
        QVERIFY(again.workBytes < kept.workBytes);
    }
}

QTEST_GUILESS_MAIN(ModelsTest)
#include "models_test.moc"
