// Sequences through the executor: gradients of networks of attention, recurrent layers, products and transposed
// convolutions against central differences, and step by step with caches and states as all at once.
#include "tests/execute/networks.h"

#include "kernels/base/text.h"

#include <QTest>

#include <cmath>

namespace millrace::execute {

namespace {

constexpr std::int64_t kBatch = 3, kSteps = 5, kWidth = 6, kVocabulary = 7;

TensorId parameter(Net& net, const std::string& name, Shape shape)
{
    return net.tensor(name, shape, Role::Parameter, Initial::KaimingUniform, 4);
}

/// A dense layer over every step.
void project(Net& net, const std::string& layer, std::int64_t outputs)
{
    const Shape shape = net.graph.tensor(net.x).shape;
    const auto weight = parameter(net, layer + ".weight", {outputs, shape[shape.rank() - 1]});
    net.x = net.graph.add("dense", layer, {net.x, weight, parameter(net, layer + ".bias", {outputs})}).value()[0];
}

/// Tokens through embedding, positions, attention and a product of the sequence with itself.
Graph attentive()
{
    Net net({kBatch, 1});
    graph::Tensor tokens;
    tokens.name = "tokens";
    tokens.type = DType::I32;
    tokens.shape = {kBatch, kSteps};
    tokens.role = Role::Input;
    const auto port = net.graph.addTensor(tokens);
    net.graph.ports()["tokens"] = port;
    net.x =
        net.graph.add("embedding", "embed", {parameter(net, "embed.table", {kVocabulary, kWidth}), port}).value()[0];
    net.x = net.graph.add("position", "place", {net.x, parameter(net, "place.table", {kSteps + 1, kWidth})}).value()[0];
    project(net, "qkv", 3 * kWidth);
    net.add("attention", "attend", {{"heads", kTwo}, {"causal", kOne}});
    const TensorId left = net.x;
    project(net, "right", kWidth);
    net.x = net.graph.add("matmul", "scores", {left, net.x}, {{"transpose_b", kOne}}).value()[0];
    net.x = net.graph.add("matmul", "mixed", {net.x, left}, {{"transpose_a", kOne}}).value()[0];
    return net.add("flatten", "flat").dense("out", 2).done();
}

/// The parameters of a recurrent layer, and the layer.
void recur(Net& net, const std::string& kind, std::int64_t gates, std::int64_t width, std::vector<TensorId> states = {})
{
    const std::int64_t rows = gates * width, inputs = net.graph.tensor(net.x).shape[2];
    std::vector<TensorId> operands{
        net.x, parameter(net, kind + ".input", {rows, inputs}), parameter(net, kind + ".hidden", {rows, width}),
        parameter(net, kind + ".bias_input", {rows}), parameter(net, kind + ".bias_hidden", {rows})};
    operands.insert(operands.end(), states.begin(), states.end());
    net.x = net.graph.add(kind, kind, operands).value()[0];
}

Graph recurrent()
{
    Net net({kBatch, kSteps, 4});
    recur(net, "lstm", 4, 5);
    recur(net, "gru", 3, 6);
    return net.add("flatten", "flat").dense("out", 2).done();
}

Graph transposed()
{
    Net net({kBatch, 3, 4, 2});
    for (const auto& [layer, channels, groups] : {std::tuple{"grow", 2, 1}, std::tuple{"group", 4, 2}}) {
        const auto weight = parameter(net, str(layer, ".weight"), {channels, 3, 3, 4 / groups});
        const auto bias = parameter(net, str(layer, ".bias"), {4});
        net.x =
            net.graph
                .add("conv_transpose2d", layer, {net.x, weight, bias},
                     {{"stride", kTwo}, {"padding", kOne}, {"output_padding", kOne}, {"groups", std::int64_t{groups}}})
                .value()[0];
    }
    return net.add("flatten", "flat").dense("out", 2).done();
}

Graph built(const QString& name)
{
    if (name == QLatin1String("attentive")) return attentive();
    return name == QLatin1String("recurrent") ? recurrent() : transposed();
}

/// The bench with tokens, where the network takes some.
Bench benchOf(const Graph& graph, int threads)
{
    Bench bench(graph, Loss::MeanSquaredError, threads);
    if (graph.ports().contains("tokens")) {
        const auto tokens = integers(*bench.executor, "tokens");
        for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i * i % kVocabulary);
    }
    return bench;
}

/// What the graph computes of `features`, each time with `offset` where it has such a port.
std::vector<float> answers(const Graph& graph, const std::vector<float>& features, std::size_t times)
{
    const Program program = plan(graph, Mode::Inference).value();
    const auto executor = Executor::create(program, Weights::create(program, 5).value(), 1).value();
    const auto input = floats(*executor, "features"), output = floats(*executor, "output");
    std::vector<float> result;
    for (std::size_t i = 0; i < times; ++i) {
        std::copy_n(features.begin() + static_cast<std::ptrdiff_t>(i * input.size()), input.size(), input.begin());
        if (graph.ports().contains("offset")) integers(*executor, "offset")[0] = static_cast<std::int32_t>(i);
        (void)executor->run(1, i).has_value();
        result.insert(result.end(), output.begin(), output.end());
    }
    return result;
}

Graph attentionOver(std::int64_t steps, bool cached)
{
    Net net({1, steps, 3 * kWidth});
    std::vector<TensorId> inputs{net.x};
    if (cached) {
        for (const char* name : {"keys", "values"})
            inputs.push_back(net.tensor(name, {1, kSteps, kWidth}, Role::State));
        graph::Tensor offset;
        offset.name = "offset";
        offset.type = DType::I32;
        offset.shape = {1};
        offset.role = Role::Input;
        inputs.push_back(net.graph.addTensor(offset));
        net.graph.ports()["offset"] = inputs.back();
    }
    net.x = net.graph.add("attention", "attend", inputs, {{"heads", kTwo}, {"causal", kOne}}).value()[0];
    return net.done();
}

Graph recurrentOver(const QString& kind, std::int64_t steps, bool carried)
{
    Net net({1, steps, 4});
    const bool lstm = kind == QLatin1String("lstm");
    std::vector<TensorId> states;
    if (carried) states.push_back(net.tensor("hidden", {1, 5}, Role::State));
    if (carried && lstm) states.push_back(net.tensor("cell", {1, 5}, Role::State));
    recur(net, kind.toStdString(), lstm ? 4 : 3, 5, states);
    return net.done();
}

} // namespace

class SequencesTest : public QObject
{
    Q_OBJECT

private slots:
    void gradientsMatchCentralDifferences_data();
    void gradientsMatchCentralDifferences();
    void stepByStepIsAllAtOnce_data();
    void stepByStepIsAllAtOnce();
    void cachesCannotBeTrained();
};

void SequencesTest::gradientsMatchCentralDifferences_data()
{
    QTest::addColumn<QString>("network");
    QTest::addColumn<int>("threads");
    for (const char* network : {"attentive", "recurrent", "transposed"})
        for (const int threads : {1, 2})
            QTest::addRow("%s, %d threads", network, threads) << QString::fromLatin1(network) << threads;
}

void SequencesTest::gradientsMatchCentralDifferences()
{
    QFETCH(QString, network);
    QFETCH(int, threads);
    constexpr float kDifference = 4e-3F;
    Bench bench = benchOf(built(network), threads);
    bench.loss();
    const auto gradients = bench.executor->gradients();
    const std::vector<float> computed(gradients.begin(), gradients.end());
    const float* begin = bench.weights->parameters().data();
    for (const auto& one : bench.weights->namedParameters()) {
        const auto offset = static_cast<std::size_t>(one.values.data() - begin);
        double error = 0, size = 0;
        for (std::size_t i = 0; i < one.values.size(); ++i) {
            const float value = one.values[i];
            one.values[i] = value + kDifference;
            const double above = static_cast<double>(bench.loss());
            one.values[i] = value - kDifference;
            const double below = static_cast<double>(bench.loss());
            one.values[i] = value;
            const double expected = (above - below) / (2 * static_cast<double>(kDifference));
            error += std::pow(static_cast<double>(computed[offset + i]) - expected, 2);
            size += expected * expected;
        }
        QVERIFY2(size > 0, one.name.c_str());
        QVERIFY2(std::sqrt(error / size) < 0.02, str(one.name, ": ", std::sqrt(error / size)).c_str());
    }
}

void SequencesTest::stepByStepIsAllAtOnce_data()
{
    QTest::addColumn<QString>("kind");
    for (const char* kind : {"attention", "lstm", "gru"}) QTest::newRow(kind) << QString::fromLatin1(kind);
}

void SequencesTest::stepByStepIsAllAtOnce()
{
    QFETCH(QString, kind);
    const bool attention = kind == QLatin1String("attention");
    std::vector<float> features(static_cast<std::size_t>(kSteps) * (attention ? 3 * kWidth : 4));
    fill(features, "features");
    const auto whole =
        answers(attention ? attentionOver(kSteps, false) : recurrentOver(kind, kSteps, false), features, 1);
    const auto steps =
        answers(attention ? attentionOver(1, true) : recurrentOver(kind, 1, true), features, std::size_t{kSteps});
    QCOMPARE(steps.size(), whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) QVERIFY(std::abs(steps[i] - whole[i]) < 1e-5F);
}

void SequencesTest::cachesCannotBeTrained()
{
    Graph graph = recurrentOver(QStringLiteral("lstm"), kSteps, true);
    const auto refused = withGradients(graph, Loss::MeanSquaredError);
    QVERIFY(!refused);
    QCOMPARE(refused.error().toString(),
             std::string("node lstm: Layer lstm carries its state over calls and cannot be trained."));
}

} // namespace millrace::execute

QTEST_GUILESS_MAIN(millrace::execute::SequencesTest)
#include "sequences_test.moc"
