// Autodiff as a graph transformation, and the memory plan: its invariants over random graphs, and its size where the
// right answer is known.
#include "engine/compile/program.h"
#include "kernels/base/text.h"
#include "tests/compile/plan_verifier.h"
#include "tests/compile/random_graph.h"

#include <QtTest>

#include <algorithm>

using namespace millrace;
using namespace millrace::compile;
using graph::Graph;
using graph::Operation;
using graph::Role;
using graph::TensorId;

namespace {

Graph multilayer(std::int64_t batch, int layers, std::int64_t width, bool activation)
{
    Graph graph;
    TensorId x = tensor(graph, "features", {batch, width}, Role::Input);
    graph.ports()["features"] = x;
    for (int i = 0; i < layers; ++i) {
        x = dense(graph, str("fc", i), x, width);
        if (activation) x = graph.add("relu", str("relu", i), {x}).value()[0];
    }
    graph.ports()["output"] = x;
    return graph;
}

std::string show(const Graph& graph)
{
    std::string text;
    for (const Operation& operation : graph.operations()) {
        std::vector<std::string> inputs, outputs;
        for (const TensorId id : operation.inputs) inputs.push_back(graph.tensor(id).name);
        for (const TensorId id : operation.outputs) outputs.push_back(graph.tensor(id).name);
        text += str(operation.kind, " (", joined(inputs, ", "), ") -> ", joined(outputs, ", "), "\n");
    }
    return text;
}

} // namespace

class CompileTest : public QObject
{
    Q_OBJECT

private slots:
    void gradientsFollowTheRules();
    void aTensorReadTwiceGetsTheSum();
    void unusedParametersHaveNoGradient();
    void sharedGradientsAreCopied();
    void withoutGradientSaysWhichLayer();
    void lossRefusesTheWrongOutput();
    void lossesTakeTheirOptions();
    void aGradientThatWouldBeLostIsRefused();
    void theGradientTakesTheLogitsMemory();
    void plansOfRandomGraphsHold_data();
    void plansOfRandomGraphsHold();
    void theVerifierFindsABrokenPlan();
    void inferenceNeedsTwoBuffers();
    void activationsWorkInPlace();
    void dropoutIsAViewInInference();
    void parametersAndGradientsLieAlike();
    void programsOfOneGraphShareParameterOffsets();
    void whatCannotBeAddressedIsRefused();
};

void CompileTest::gradientsFollowTheRules()
{
    Graph graph;
    const TensorId x = tensor(graph, "features", {4, 6}, Role::Input);
    const TensorId hidden = graph.add("relu", "relu", {dense(graph, "fc1", x, 5)}).value()[0];
    graph.ports()["output"] = dense(graph, "fc2", hidden, 3);
    const Graph result = withGradients(graph, Loss::CrossEntropy).value();
    // the features' gradient is not computed: nothing in front of them is trained
    QCOMPARE(QString::fromStdString(show(result)),
             QString::fromUtf8("dense (features, fc1.weight, fc1.bias) -> fc1.out\n"
                               "relu (fc1.out) -> relu.out\n"
                               "dense (relu.out, fc2.weight, fc2.bias) -> fc2.out\n"
                               "cross_entropy (fc2.out, labels) -> loss.loss, loss.correct, loss.dx\n"
                               "dense_backward_weights (relu.out, loss.dx) -> fc2.dweight, fc2.dbias\n"
                               "dense_backward_data (fc2.weight, loss.dx) -> fc2.dx\n"
                               "relu_backward (relu.out, fc2.dx) -> relu.dx\n"
                               "dense_backward_weights (features, relu.dx) -> fc1.dweight, fc1.dbias\n"));
    QCOMPARE(result.tensor(result.port("labels").value()).type, DType::I32);
    QCOMPARE(result.tensor(result.port("gradient/fc1.bias").value()).name, std::string("fc1.dbias"));
    QCOMPARE(result.tensor(result.port("gradient/fc1.bias").value()).role, Role::Gradient);

    const Graph evaluated = withLoss(graph, Loss::CrossEntropy).value();
    QCOMPARE(evaluated.operations().size(), std::size_t{4});
    QVERIFY(evaluated.port("correct").has_value());
    QVERIFY(!evaluated.port("gradient/fc1.bias").has_value());
}

void CompileTest::aTensorReadTwiceGetsTheSum()
{
    Graph graph;
    const TensorId x = tensor(graph, "features", {4, 5}, Role::Input);
    const TensorId a = dense(graph, "fc1", x, 5);
    const TensorId b = graph.add("tanh", "tanh", {a}).value()[0];
    graph.ports()["output"] = graph.add("add", "sum", {a, b}).value()[0];
    const Graph result = withGradients(graph, Loss::MeanSquaredError).value();
    const std::string text = show(result);
    QVERIFY2(text.find("tanh_backward (tanh.out, loss.dx) -> tanh.dx\n"
                       "add (loss.dx, tanh.dx) -> tanh.out.2\n"
                       "dense_backward_weights (features, tanh.out.2)") != std::string::npos,
             text.c_str());
}

void CompileTest::unusedParametersHaveNoGradient()
{
    Graph graph;
    const TensorId x = tensor(graph, "features", {4, 5}, Role::Input);
    (void)dense(graph, "aside", x, 3);
    graph.ports()["output"] = dense(graph, "fc", x, 3);
    const Program program = plan(withGradients(graph, Loss::CrossEntropy).value(), Mode::Training).value();
    QVERIFY(!program.graph.port("gradient/aside.weight").has_value());
    QVERIFY(program.graph.port("gradient/fc.weight").has_value());
    QCOMPARE(program.gradientBytes, program.parameterBytes);
    QCOMPARE(whatIsWrong(program), std::string());
}

void CompileTest::sharedGradientsAreCopied()
{
    Graph graph;
    const TensorId a = tensor(graph, "a", {4, 3}, Role::Parameter);
    const TensorId b = tensor(graph, "b", {4, 3}, Role::Parameter);
    graph.ports()["output"] = graph.add("add", "sum", {a, b}).value()[0];
    const Program program = plan(withGradients(graph, Loss::CrossEntropy).value(), Mode::Training).value();
    const auto first = program.graph.port("gradient/a").value(), second = program.graph.port("gradient/b").value();
    QVERIFY(first != second);
    QVERIFY(program.placements[first].offset != program.placements[second].offset);
    QCOMPARE(whatIsWrong(program), std::string());
}

void CompileTest::withoutGradientSaysWhichLayer()
{
    Graph graph;
    const TensorId x = tensor(graph, "features", {4, 5}, Role::Input);
    const TensorId y = dense(graph, "fc", x, 5);
    graph.ports()["output"] = graph.add("relu_backward", "odd", {y, x}).value()[0];
    const auto result = withGradients(graph, Loss::CrossEntropy);
    QVERIFY(!result);
    QCOMPARE(result.error().code, Code::Unsupported);
    QCOMPARE(result.error().toString(),
             std::string("node odd: Layer odd cannot be trained: the operation relu_backward has no gradient."));
}

void CompileTest::lossRefusesTheWrongOutput()
{
    Graph graph;
    const TensorId x = tensor(graph, "features", {4, 5}, Role::Input);
    QCOMPARE(withLoss(graph, Loss::CrossEntropy).error().code, Code::NotFound);
    graph.ports()["output"] =
        graph.add("reshape", "image", {x}, {{"shape", std::vector<std::int64_t>{5, 1, 1}}}).value()[0];
    const auto result = withLoss(graph, Loss::CrossEntropy);
    QCOMPARE(QString::fromStdString(result.error().toString()),
             QString::fromUtf8("node loss: Cross-entropy takes one score per class but gets 5×1×1 from image. End the "
                               "model with a Flatten and a Dense layer as wide as there are classes."));
}

void CompileTest::lossesTakeTheirOptions()
{
    Graph graph;
    graph.ports()["output"] = dense(graph, "fc", tensor(graph, "features", {4, 5}, Role::Input), 3);
    LossOptions options;
    options.labelSmoothing = 0.1;
    options.ignoreIndex = 2;
    options.classWeights = {1, 2, 3};
    options.huberDelta = 0.5;
    options.temperature = 4;
    const Graph weighed = withLoss(graph, Loss::CrossEntropy, options).value();
    QCOMPARE(weighed.tensor(weighed.port("class_weights").value()).shape, Shape{3});
    QCOMPARE(weighed.operations().back().number("label_smoothing"), 0.1);
    QCOMPARE(weighed.operations().back().integer("ignore_index"), 2);
    QCOMPARE(withLoss(graph, Loss::Huber, options).value().operations().back().number("delta"), 0.5);
    const Graph taught = withLoss(graph, Loss::KullbackLeibler, options).value();
    QCOMPARE(taught.operations().back().number("temperature"), 4.0);
    QCOMPARE(taught.tensor(taught.port("targets").value()).shape, (Shape{4, 3}));
    QVERIFY(withLoss(graph, Loss::BinaryCrossEntropy).value().port("correct").has_value());
    options.classWeights = {1, 2};
    QCOMPARE(withLoss(graph, Loss::CrossEntropy, options).error().message,
             std::string("The class weights of layer loss must be 3 long but is 2."));
}

void CompileTest::aGradientThatWouldBeLostIsRefused()
{
    Graph graph;
    const TensorId x = dense(graph, "fc", tensor(graph, "features", {4, 5}, Role::Input), 3);
    const TensorId scale = tensor(graph, "scale", {3}, Role::Parameter);
    const auto outputs = graph.add("layer_norm", "norm", {x, scale}).value();
    graph.ports()["output"] = outputs[1];
    const auto result = withGradients(graph, Loss::MeanSquaredError);
    QVERIFY(!result);
    QCOMPARE(result.error().code, Code::Unsupported);
    QCOMPARE(result.error().message, std::string("Layer norm cannot be trained through its output norm.mean."));
}

void CompileTest::theGradientTakesTheLogitsMemory()
{
    Graph graph;
    const TensorId x = tensor(graph, "features", {4, 6, 5}, Role::Input);
    const TensorId weight = tensor(graph, "fc.weight", {1000, 5}, Role::Parameter);
    const TensorId logits = graph.add("dense", "fc", {x, weight}).value()[0];
    graph.ports()["output"] = logits;
    const Program program = plan(withGradients(graph, Loss::CrossEntropy).value(), Mode::Training).value();
    const auto loss = std::find_if(program.graph.operations().begin(), program.graph.operations().end(),
                                   [](const auto& operation) { return operation.kind == "cross_entropy"; });
    QCOMPARE(program.placements[loss->outputs[2]].offset, program.placements[logits].offset);
    QVERIFY(!program.graph.port("output").has_value());
    QCOMPARE(program.graph.tensor(program.graph.port("labels").value()).shape, (Shape{4, 6}));
    QVERIFY(program.workBytes < 2 * program.placements[logits].sizeBytes);
    QCOMPARE(whatIsWrong(program), std::string());
    const Program evaluation = plan(withLoss(graph, Loss::CrossEntropy).value(), Mode::Inference).value();
    QVERIFY(evaluation.graph.port("output").has_value());
}

void CompileTest::plansOfRandomGraphsHold_data()
{
    QTest::addColumn<int>("kind");
    QTest::newRow("training") << 0;
    QTest::newRow("evaluation") << 1;
    QTest::newRow("inference") << 2;
}

void CompileTest::plansOfRandomGraphsHold()
{
    QFETCH(int, kind);
    std::uint64_t used = 0, live = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Graph graph = randomGraph(seed, 1 + static_cast<std::int64_t>(seed % 5));
        const Loss loss = seed % 2 == 0 ? Loss::CrossEntropy : Loss::MeanSquaredError;
        if (kind == 0) graph = withGradients(graph, loss).value();
        if (kind == 1) graph = withLoss(graph, loss).value();
        const Program program = plan(graph, kind == 0 ? Mode::Training : Mode::Inference).value();
        const std::string wrong = whatIsWrong(program);
        QVERIFY2(wrong.empty(), str("seed ", seed, ": ", wrong, "\n", show(program.graph)).c_str());
        QVERIFY(program.workBytes >= liveBytes(program));
        used += program.workBytes;
        live += liveBytes(program);
    }
    qInfo("%.2f %% over the lower bound", 100.0 * (static_cast<double>(used) / static_cast<double>(live) - 1));
    QVERIFY(static_cast<double>(used) < 1.03 * static_cast<double>(live));
}

void CompileTest::theVerifierFindsABrokenPlan()
{
    // every tensor moved onto another one that lives at the same time must be found
    int moved = 0, found = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Program good =
            plan(withGradients(randomGraph(seed, 2), Loss::CrossEntropy).value(), Mode::Training).value();
        const TensorId features = good.graph.port("features").value();
        for (TensorId id = 0; id < good.placements.size(); ++id) {
            if (good.graph.tensor(id).role != Role::Activation ||
                good.placements[id].offset == good.placements[features].offset)
                continue;
            Program broken = good;
            broken.placements[id].offset = good.placements[features].offset;
            if (broken.placements[id].offset + broken.placements[id].sizeBytes > broken.workBytes) continue;
            ++moved;
            if (!whatIsWrong(broken).empty()) ++found;
        }
    }
    QVERIFY(moved > 100);
    QCOMPARE(found, moved);
}

void CompileTest::inferenceNeedsTwoBuffers()
{
    // 32·256 floats each: the features, which are kept, and two that the layers pass to each other
    const Program program = plan(multilayer(32, 10, 256, false), Mode::Inference).value();
    QCOMPARE(program.workBytes, std::uint64_t{3 * 32 * 256 * 4});
    QCOMPARE(program.gradientBytes, std::uint64_t{0});
    QCOMPARE(program.peakBytes(), program.workBytes + program.parameterBytes);
}

void CompileTest::activationsWorkInPlace()
{
    const Program inference = plan(multilayer(32, 10, 256, true), Mode::Inference).value();
    QCOMPARE(inference.workBytes, std::uint64_t{3 * 32 * 256 * 4});
    const Program training =
        plan(withGradients(multilayer(32, 2, 256, true), Loss::MeanSquaredError).value(), Mode::Training).value();
    for (const Operation& operation : training.graph.operations()) {
        if (operation.kind != "relu") continue;
        // the last one's output is behind a port, which its input is not
        QCOMPARE(training.placements[operation.inputs[0]].offset, training.placements[operation.outputs[0]].offset);
    }
    QCOMPARE(whatIsWrong(training), std::string());
}

void CompileTest::dropoutIsAViewInInference()
{
    Graph graph;
    const TensorId x = tensor(graph, "features", {4, 5}, Role::Input);
    const TensorId y = graph.add("dropout", "drop", {x}).value()[0];
    graph.ports()["output"] = dense(graph, "fc", y, 5);
    const Program inference = plan(graph, Mode::Inference).value();
    QCOMPARE(inference.placements[x].offset, inference.placements[y].offset);
    const Program training = plan(withGradients(graph, Loss::CrossEntropy).value(), Mode::Training).value();
    QVERIFY(training.placements[x].offset != training.placements[y].offset); // the input is kept
    QCOMPARE(plan(withGradients(graph, Loss::CrossEntropy).value(), Mode::Inference).error().code,
             Code::InvalidArgument);
}

void CompileTest::parametersAndGradientsLieAlike()
{
    const Program program = plan(withGradients(randomGraph(3, 2), Loss::CrossEntropy).value(), Mode::Training).value();
    std::uint64_t end = 0;
    int parameters = 0;
    for (TensorId id = 0; id < program.placements.size(); ++id) {
        if (program.graph.tensor(id).role != Role::Parameter) continue;
        QVERIFY(program.placements[id].offset >= end); // in the graph's order
        end = program.placements[id].offset + program.placements[id].sizeBytes;
        const auto gradient = program.graph.port("gradient/" + program.graph.tensor(id).name).value();
        QCOMPARE(program.placements[gradient].offset, program.placements[id].offset);
        QCOMPARE(program.placements[gradient].arena, Placement::Arena::Gradients);
        ++parameters;
    }
    QVERIFY(parameters >= 2);
}

void CompileTest::programsOfOneGraphShareParameterOffsets()
{
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        const Program training =
            plan(withGradients(randomGraph(seed, 8), Loss::CrossEntropy).value(), Mode::Training).value();
        const Program evaluation =
            plan(withLoss(randomGraph(seed, 3), Loss::CrossEntropy).value(), Mode::Inference).value();
        QCOMPARE(training.parameterBytes, evaluation.parameterBytes);
        QCOMPARE(training.stateBytes, evaluation.stateBytes);
        for (TensorId id = 0; id < evaluation.graph.tensors().size(); ++id) {
            const Role role = evaluation.graph.tensor(id).role;
            if (role != Role::Parameter && role != Role::State) continue;
            QCOMPARE(training.graph.tensor(id).name, evaluation.graph.tensor(id).name);
            QCOMPARE(training.placements[id].offset, evaluation.placements[id].offset);
        }
    }
}

void CompileTest::whatCannotBeAddressedIsRefused()
{
    Graph graph;
    const std::int64_t many = 10'000'000;
    const TensorId x = tensor(graph, "features", {many, many}, Role::Input);
    graph.ports()["output"] = graph.add("relu", "relu", {x}).value()[0];
    const auto result = plan(graph, Mode::Inference);
    QVERIFY(!result);
    QCOMPARE(result.error().code, Code::TooLarge);
    QVERIFY(result.error().message.find("features of 10000000×10000000") != std::string::npos);
}

QTEST_GUILESS_MAIN(CompileTest)
#include "compile_test.moc"
