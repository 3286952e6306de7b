// The executor: gradients of whole networks against central differences, learning, determinism, no allocation in a
// step, shared weights, and the search for the layer where a number stopped being finite.
#include "engine/graph/operations.h"
#include "kernels/base/text.h"
#include "tests/execute/allocation_counter.h"
#include "tests/execute/networks.h"

#include <QtTest>

#include <cmath>
#include <cstring>
#include <limits>

using namespace millrace;
using namespace millrace::execute;

namespace {

std::vector<float> copied(std::span<const float> values)
{
    return {values.begin(), values.end()};
}

bool sameBits(std::span<const float> a, std::span<const float> b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

void descend(Bench& bench, float rate)
{
    const auto values = bench.weights->parameters();
    const auto gradients = bench.executor->gradients();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] -= rate * gradients[i];
}

} // namespace

class ExecuteTest : public QObject
{
    Q_OBJECT

private slots:
    void gradientsMatchCentralDifferences_data();
    void gradientsMatchCentralDifferences();
    void learnsXor();
    void learnsTwoClasses();
    void sameBitsFromTwoExecutors_data();
    void sameBitsFromTwoExecutors();
    void aStepAllocatesNothing();
    void inputsOutliveTheRun();
    void dropoutFollowsSeedAndStep();
    void inferenceUsesTheRunningStatistics();
    void trainingAndEvaluationShareWeights();
    void initialValuesFollowSeedAndName();
    void findsTheLayerThatIsNotFinite();
    void otherWeightsAreRefused();
    void portsAreTyped();
};

void ExecuteTest::gradientsMatchCentralDifferences_data()
{
    QTest::addColumn<bool>("classes");
    QTest::addColumn<int>("threads");
    QTest::addColumn<float>("difference");
    // relu and max pooling have kinks, which a small difference rarely meets; what is smooth can take a larger one,
    // which loses less to single precision
    QTest::newRow("classifier, 1 thread") << true << 1 << 5e-4f;
    QTest::newRow("classifier, 2 threads") << true << 2 << 5e-4f;
    QTest::newRow("regressor, 1 thread") << false << 1 << 4e-3f;
    QTest::newRow("regressor, 2 threads") << false << 2 << 4e-3f;
}

void ExecuteTest::gradientsMatchCentralDifferences()
{
    QFETCH(bool, classes);
    QFETCH(int, threads);
    QFETCH(float, difference);
    Bench bench(classes ? classifier(6) : regressor(6), classes ? Loss::CrossEntropy : Loss::MeanSquaredError, threads);
    bench.loss();
    const std::vector<float> gradients = copied(bench.executor->gradients());
    double whole = 0;
    for (const float g : gradients) whole += static_cast<double>(g) * static_cast<double>(g);
    const double scale = std::sqrt(whole / static_cast<double>(gradients.size()));
    QVERIFY(scale > 0);

    const float* begin = bench.weights->parameters().data();
    for (const auto& parameter : bench.weights->namedParameters()) {
        const auto offset = static_cast<std::size_t>(parameter.values.data() - begin);
        double error = 0, size = 0;
        for (std::size_t i = 0; i < parameter.values.size(); ++i) {
            const float value = parameter.values[i];
            parameter.values[i] = value + difference;
            const auto above = static_cast<double>(bench.loss());
            parameter.values[i] = value - difference;
            const auto below = static_cast<double>(bench.loss());
            parameter.values[i] = value;
            const double expected = (above - below) / (2 * static_cast<double>(difference));
            const auto actual = static_cast<double>(gradients[offset + i]);
            error += (actual - expected) * (actual - expected);
            size += expected * expected;
        }
        const auto count = static_cast<double>(parameter.values.size());
        const double relative = std::sqrt(error / count) / std::max(std::sqrt(size / count), 0.1 * scale);
        QVERIFY2(relative < 0.02, str(parameter.name, ": ", relative).c_str());
    }
}

void ExecuteTest::learnsXor()
{
    Net net({4, 2});
    Bench bench(net.dense("fc1", 8).add("tanh", "tanh").dense("fc2", 2).done(), Loss::CrossEntropy);
    const float rows[] = {0, 0, 0, 1, 1, 0, 1, 1};
    std::copy(std::begin(rows), std::end(rows), floats(*bench.executor, "features").begin());
    const int labels[] = {0, 1, 1, 0};
    std::copy(std::begin(labels), std::end(labels), integers(*bench.executor, "labels").begin());
    for (int step = 0; step < 1000; ++step) {
        bench.loss();
        descend(bench, 0.5f);
    }
    QVERIFY(bench.loss() < 0.05f);
    QCOMPARE(floats(*bench.executor, "correct")[0], 4.0f);
}

void ExecuteTest::learnsTwoClasses()
{
    // images whose left or right half is brighter, through convolution, batch norm, pooling and dropout
    Net net({32, 6, 6, 1});
    net.conv("conv", 4, {{"padding", kOne}})
        .batchNorm("norm")
        .add("relu", "relu")
        .add("max_pool2d", "pool", {{"size", kTwo}});
    net.add("flatten", "flat").add("dropout", "drop", {{"probability", 0.2}});
    Bench bench(net.dense("fc", 2).done(), Loss::CrossEntropy, 2);
    const auto images = floats(*bench.executor, "features");
    const auto labels = integers(*bench.executor, "labels");
    float correct = 0;
    for (std::uint64_t step = 0; step < 150; ++step) {
        Random random(3, streamOf("images"), step * 4096);
        for (std::size_t i = 0; i < 32; ++i) {
            labels[i] = static_cast<int>(random.below(2));
            for (std::size_t p = 0; p < 36; ++p)
                images[i * 36 + p] =
                    static_cast<float>(random.normal()) + ((p % 6 < 3) == (labels[i] == 0) ? 1.0f : 0.0f);
        }
        bench.loss(step);
        descend(bench, 0.05f);
        if (step >= 130) correct += floats(*bench.executor, "correct")[0];
    }
    QVERIFY2(correct / (20 * 32) > 0.95f, str(correct / (20 * 32)).c_str());
}

void ExecuteTest::sameBitsFromTwoExecutors_data()
{
    QTest::addColumn<int>("threads");
    QTest::newRow("1 thread") << 1;
    QTest::newRow("2 threads") << 2;
}

void ExecuteTest::sameBitsFromTwoExecutors()
{
    QFETCH(int, threads);
    for (const bool classes : {true, false}) {
        const Loss loss = classes ? Loss::CrossEntropy : Loss::MeanSquaredError;
        const Graph graph = classes ? classifier(33) : regressor(33);
        Bench one(graph, loss, threads), two(graph, loss, threads);
        for (std::uint64_t step = 0; step < 10; ++step) {
            QCOMPARE(one.loss(step), two.loss(step));
            QVERIFY(sameBits(one.executor->gradients(), two.executor->gradients()));
            descend(one, 0.1f);
            descend(two, 0.1f);
        }
        QVERIFY(sameBits(one.weights->parameters(), two.weights->parameters()));
        QVERIFY(sameBits(one.weights->states(), two.weights->states()));
    }
}

void ExecuteTest::aStepAllocatesNothing()
{
    Net net({16, 8, 8, 3});
    net.batchNorm("norm").add("gelu", "gelu").add("max_pool2d", "pool", {{"size", kTwo}}).add("dropout", "drop");
    net.add("relu", "relu").add("average_pool2d", "mean", {{"size", kTwo * kTwo}}).add("flatten", "flat");
    const Graph own = net.done();
    for (const int threads : {1, 2}) {
        Bench bench(own, Loss::CrossEntropy, threads);
        bench.loss(); // the first run may start threads
        startCounting();
        for (std::uint64_t step = 1; step < 20; ++step) QVERIFY(bench.executor->run(1, step).has_value());
        QCOMPARE(allocationCount(), 0L);
    }
    // oneDNN keeps the call of a product or a convolution in a few small blocks; no tensor may be among them
    for (const bool classes : {true, false}) {
        Bench bench(classes ? classifier(64) : regressor(64), classes ? Loss::CrossEntropy : Loss::MeanSquaredError, 1);
        bench.loss();
        startCounting();
        bench.loss();
        QVERIFY2(largestAllocationBytes() < 1024, str(largestAllocationBytes()).c_str());
    }
}

void ExecuteTest::inputsOutliveTheRun()
{
    Bench bench(regressor(8), Loss::MeanSquaredError);
    const auto features = copied(floats(*bench.executor, "features"));
    const float loss = bench.loss();
    QVERIFY(sameBits(features, floats(*bench.executor, "features")));
    QCOMPARE(bench.loss(), loss);
}

void ExecuteTest::dropoutFollowsSeedAndStep()
{
    Net net({16, 64});
    Bench bench(net.add("dropout", "drop", {{"probability", 0.25}}).dense("fc", 3).done(), Loss::CrossEntropy);
    const float first = bench.loss(0), second = bench.loss(1);
    QVERIFY(first != second);
    QCOMPARE(bench.loss(0), first);
    QVERIFY(bench.executor->run(2, 0).has_value()); // another seed
    QVERIFY(floats(*bench.executor, "loss")[0] != first);
}

void ExecuteTest::inferenceUsesTheRunningStatistics()
{
    Net net({4, 3});
    const Graph forward = net.batchNorm("norm").done();
    const Program program = plan(forward, Mode::Inference).value();
    auto weights = Weights::create(program, 1).value();
    auto executor = Executor::create(program, weights, 1).value();
    const auto states = weights->namedStates();
    QCOMPARE(states[0].name, std::string("norm.mean"));
    for (std::size_t c = 0; c < 3; ++c) {
        states[0].values[c] = 2;
        states[1].values[c] = 4;
    }
    const auto features = floats(*executor, "features");
    std::fill(features.begin(), features.end(), 6.0f);
    QVERIFY(executor->run(1, 0, true).has_value());
    for (const float y : floats(*executor, "output")) QVERIFY(std::abs(y - 2.0f) < 1e-4f);
    QCOMPARE(states[0].values[0], 2.0f);
}

void ExecuteTest::trainingAndEvaluationShareWeights()
{
    Bench bench(classifier(24), Loss::CrossEntropy, 2);
    const Program program = plan(withLoss(classifier(5), Loss::CrossEntropy).value(), Mode::Inference).value();
    const auto evaluation = Executor::create(program, bench.weights, 2).value();
    const auto alone = Executor::create(program, Weights::create(program, 5).value(), 2).value();
    for (Executor* executor : {evaluation.get(), alone.get()}) fill(floats(*executor, "features"), "features");

    QVERIFY(evaluation->run(0, 0).has_value());
    QVERIFY(alone->run(0, 0).has_value()); // drawn from the same seed, though by another program
    QVERIFY(sameBits(floats(*evaluation, "output"), floats(*alone, "output")));

    bench.loss();
    descend(bench, 0.1f);
    QVERIFY(evaluation->run(0, 0).has_value());
    QVERIFY(!sameBits(floats(*evaluation, "output"), floats(*alone, "output")));
    QVERIFY(evaluation->memoryBytes() >= program.peakBytes());
}

void ExecuteTest::initialValuesFollowSeedAndName()
{
    Bench bench(classifier(4), Loss::CrossEntropy, 1, 5), again(classifier(8), Loss::CrossEntropy, 1, 5);
    Bench other(classifier(4), Loss::CrossEntropy, 1, 6);
    QVERIFY(sameBits(bench.weights->parameters(), again.weights->parameters())); // whatever the batch
    QVERIFY(!sameBits(bench.weights->parameters(), other.weights->parameters()));

    std::size_t inTensors = 0, notZero = 0;
    for (const auto& parameter : bench.weights->namedParameters()) {
        inTensors += parameter.values.size();
        if (parameter.name == "norm1.scale")
            QVERIFY(std::all_of(parameter.values.begin(), parameter.values.end(), [](float v) { return v == 1; }));
        if (parameter.name != "conv2.weight") continue;
        const float bound = 1 / std::sqrt(36.0f); // 3·3·4 inputs
        const auto [least, most] = std::minmax_element(parameter.values.begin(), parameter.values.end());
        QVERIFY(*least >= -bound && *least < -0.9f * bound);
        QVERIFY(*most <= bound && *most > 0.9f * bound);
    }
    for (const float value : bench.weights->parameters()) notZero += value != 0;
    QVERIFY(bench.weights->parameters().size() > inTensors); // there is padding,
    QVERIFY(notZero <= inTensors);                           // and it is zero
}

void ExecuteTest::findsTheLayerThatIsNotFinite()
{
    Bench bench(classifier(6), Loss::CrossEntropy);
    bench.loss();
    QCOMPARE(bench.executor->firstNonFinite(), std::string());
    const auto states = copied(bench.weights->states());
    QCOMPARE(bench.executor->firstNonFinite(), std::string());
    QVERIFY(sameBits(states, bench.weights->states())); // the search does not count as a step

    for (const auto& parameter : bench.weights->namedParameters()) {
        if (parameter.name != "fc1.weight") continue;
        const float value = parameter.values[3];
        parameter.values[3] = std::numeric_limits<float>::infinity();
        bench.loss();
        QCOMPARE(bench.executor->firstNonFinite(), std::string("fc1"));
        const Status status = bench.executor->run(1, 7, true);
        QCOMPARE(status.error().code, Code::Diverged);
        QCOMPARE(status.error().subject.node, std::string("fc1"));
        parameter.values[3] = value;
    }
    floats(*bench.executor, "features")[0] = std::numeric_limits<float>::quiet_NaN();
    bench.loss();
    QCOMPARE(bench.executor->firstNonFinite(), std::string("features (the input)"));
}

void ExecuteTest::otherWeightsAreRefused()
{
    const Program program = plan(classifier(4), Mode::Inference).value();
    const Program other = plan(regressor(4), Mode::Inference).value();
    const auto result = Executor::create(program, Weights::create(other, 1).value(), 1);
    QVERIFY(!result);
    QCOMPARE(result.error().code, Code::InvalidArgument);
}

void ExecuteTest::portsAreTyped()
{
    Bench bench(classifier(4), Loss::CrossEntropy);
    QCOMPARE(bench.executor->floats("labels").error().code, Code::InvalidArgument);
    QCOMPARE(bench.executor->floats("featurs").error().toString(),
             std::string("The model has no port \"featurs\". Did you mean features?"));
    const auto whole = bench.executor->gradients();
    const auto one = floats(*bench.executor, "gradient/fc2.bias");
    QVERIFY(one.data() >= whole.data() && one.data() + one.size() <= whole.data() + whole.size());
}

QTEST_GUILESS_MAIN(ExecuteTest)
#include "execute_test.moc"
