// Recompute: the same bits in less memory.
#include "tests/execute/networks.h"

#include <QTest>

namespace millrace::execute {

namespace {

/// Blocks with everything that could go wrong twice: dropout's mask, running statistics, a sum around the block.
Graph blocks()
{
    Net net({16, 8, 8, 4});
    net.conv("stem", 16, {{"padding", std::int64_t{1}}});
    for (int block = 1; block <= 3; ++block) {
        const auto name = [&](const char* layer) { return "block" + std::to_string(block) + "." + layer; };
        const TensorId before = net.x;
        net.conv(name("conv1"), 16, {{"padding", std::int64_t{1}}}).batchNorm(name("norm1")).add("gelu", name("gelu"));
        net.add("dropout", name("dropout"), {{"probability", 0.25}});
        net.conv(name("conv2"), 16, {{"padding", std::int64_t{1}}}).batchNorm(name("norm2"));
        net.x = net.graph.add("add", name("add"), {net.x, before}).value()[0];
        net.add("relu", name("relu"));
    }
    net.add("flatten", "flatten").dense("answer", 10);
    return net.done();
}

struct Run
{
    std::vector<float> gradients, states;
    float loss = 0;
    std::uint64_t workBytes = 0;
    double flops = 0;
};

Run runTwice(Graph graph)
{
    Program program = plan(std::move(graph), Mode::Training).value();
    Run run;
    run.workBytes = program.workBytes;
    run.flops = program.graph.cost().flops;
    auto weights = Weights::create(program, 3).value();
    auto executor = Executor::create(std::move(program), weights, 2).value();
    Random random(5, 7);
    for (float& value : executor->floats("features").value()) value = static_cast<float>(random.normal());
    const auto labels = executor->integers("labels").value();
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::int32_t>(i % 10);
    for (std::uint64_t step = 0; step < 2; ++step)
        if (const auto status = executor->run(11, step); !status) qFatal("%s", status.error().message.c_str());
    const auto gradients = executor->gradients(), states = weights->states();
    run.gradients.assign(gradients.begin(), gradients.end());
    run.states.assign(states.begin(), states.end());
    run.loss = executor->floats("loss").value()[0];
    return run;
}

} // namespace

class RecomputeTest : public QObject
{
    Q_OBJECT

private slots:
    void givesTheSameBitsInLessMemory()
    {
        const Graph kept = withGradients(blocks(), Loss::CrossEntropy).value();
        const Run all = runTwice(kept), less = runTwice(withRecompute(kept).value());
        QCOMPARE(less.loss, all.loss);
        QVERIFY(less.gradients == all.gradients);
        QVERIFY(less.states == all.states);
        QVERIFY2(less.workBytes < all.workBytes * 2 / 3,
                 qPrintable(QStringLiteral("%1 of %2 bytes").arg(less.workBytes).arg(all.workBytes)));
        QVERIFY(less.flops > all.flops);
        QVERIFY(less.flops < all.flops * 1.4);
    }

    void leavesAGraphWithoutBlocksAsItIs()
    {
        Net net({4, 6});
        net.dense("hidden", 5).add("relu", "relu").dense("answer", 3);
        const Graph graph = withGradients(net.done(), Loss::CrossEntropy).value();
        QCOMPARE(withRecompute(graph).value().operations().size(), graph.operations().size());
    }
};

} // namespace millrace::execute

QTEST_GUILESS_MAIN(millrace::execute::RecomputeTest)
#include "recompute_test.moc"
