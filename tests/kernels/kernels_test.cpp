// What the case files cannot say: refused dimensions, extreme values, dropout's mask, and the whole-buffer functions.
#include "kernels/base/random.h"
#include "kernels/base/text.h"
#include "kernels/cpu/kernel.h"
#include "kernels/cpu/optimizer.h"

#include <QtTest>

#include <cmath>
#include <limits>
#include <numeric>

using namespace millrace;
using namespace millrace::kernels;

namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

/// One call without seed; kernels here need little scratch memory.
void run(KernelResult kernel, std::vector<const void*> inputs, std::vector<void*> outputs, std::uint64_t seed = 1,
         std::uint64_t step = 0)
{
    QVERIFY2(kernel.has_value(), kernel ? "" : kernel.error().toString().c_str());
    alignas(64) std::byte scratch[4096];
    QVERIFY((*kernel)->scratchBytes() <= sizeof scratch);
    const Counter counter{seed, step};
    (*kernel)->run({.inputs = inputs, .outputs = outputs, .scratch = scratch, .counter = &counter});
}

std::vector<float> activated(Nonlinearity kind, const std::vector<float>& x)
{
    std::vector<float> y(x.size());
    run(cpu::makeActivation({kind, static_cast<std::int64_t>(x.size())}, 1), {x.data()}, {y.data()});
    return y;
}

std::vector<float> dropped(double probability, std::size_t count, std::uint64_t seed, std::uint64_t step,
                           int threads = 1)
{
    const std::vector<float> x(count, 1.0F);
    std::vector<float> y(count);
    run(cpu::makeDropout({static_cast<std::int64_t>(count), probability, streamOf("dropout/a")}, threads), {x.data()},
        {y.data()}, seed, step);
    return y;
}

std::vector<float> randomValues(std::size_t count, std::string_view stream)
{
    Random random(11, streamOf(stream));
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(random.normal());
    return values;
}

} // namespace

class KernelsTest : public QObject
{
    Q_OBJECT

private slots:
    void impossibleDimensionsAreRefused_data();
    void impossibleDimensionsAreRefused();
    void extremeValuesSaturate();
    void nanIsNeverHidden();
    void unknownLabelMakesTheLossNaN();
    void ignoredRowsCountNowhere();
    void wrongIndicesGiveNaN();
    void largeLogitsDoNotOverflow();
    void dropoutKeepsTheStatedShare();
    void dropoutMaskFollowsSeedAndStep();
    void optimizersLeavePaddingAlone();
    void optimizersDoNotDependOnThreads();
    void normAndScale();
    void everyNonFiniteValueIsFound();
    void castsRoundToTheNearest_data();
    void castsRoundToTheNearest();
};

void KernelsTest::impossibleDimensionsAreRefused_data()
{
    QTest::addColumn<std::string>("message");
    QTest::addColumn<std::string>("expected");
    const auto add = [](const char* name, const KernelResult& kernel, const std::string& expected) {
        QTest::newRow(name) << (kernel ? std::string("accepted") : kernel.error().message) << expected;
    };
    const Conv2d conv{
        .batch = 1, .height = 4, .width = 4, .channels = 4, .outputChannels = 4, .kernelHeight = 3, .kernelWidth = 3};
    Conv2d groups = conv, window = conv, pad = conv, stride = conv;
    groups.groups = 3;
    window.kernelHeight = 5;
    window.strideHeight = 2;
    stride.strideWidth = 0;
    pad.padWidth = -1;
    add("groups", cpu::makeConv2d(groups, 1), "conv2d: 4 input and 4 output channels cannot be split into 3 groups.");
    add("window", cpu::makeConv2dBackward(window, 1), "conv2d: a window of 5×3 does not fit the padded image of 4×4.");
    add("pad", cpu::makeConv2d(pad, 1), "conv2d: padding is -1, expected at least 0.");
    add("stride", cpu::makeConv2d(stride, 1), "conv2d: stride is 0, expected at least 1.");
    add("dense", cpu::makeDense({.batch = 3, .inputs = 0, .outputs = 2}, 1),
        "dense: inputs is 0, expected at least 1.");
    add("pool", cpu::makeMaxPool2d({.batch = 1, .height = 4, .width = 4, .channels = 1, .padHeight = 2}, 1),
        "pool2d: the padding 2×0 is not between 0 and half the window 2×2.");
    add("dropout", cpu::makeDropout({.elements = 4, .probability = 1}, 1),
        "dropout: the probability is 1, expected at least 0 and less than 1.");
    add("dropout NaN", cpu::makeDropout({.elements = 4, .probability = std::nan("")}, 1),
        "dropout: the probability is nan, expected at least 0 and less than 1.");
    add("batch norm", cpu::makeBatchNorm({.rows = -1, .channels = 2}, 1),
        "batch_norm: rows is -1, expected at least 1.");
    add("group norm", cpu::makeGroupNorm({.batch = 2, .positions = 3, .channels = 5, .groups = 2}, 1),
        "group_norm: 5 channels cannot be split into 2 groups.");
    add("activation", cpu::makeActivation({Nonlinearity::LeakyRelu, 4, -0.1}, 1),
        "activation: the parameter is -0.1, expected at least 0.");
    add("cross entropy", cpu::makeCrossEntropy({.rows = 2, .classes = 3, .labelSmoothing = 2}, 1),
        "cross_entropy: the label smoothing is 2, expected 0 to 1.");
    add("huber", cpu::makeHuber({.elements = 4, .delta = 0}, 1), "huber: delta is 0, expected more than 0.");
    add("kl", cpu::makeKlDivergence({.rows = 2, .classes = 3, .temperature = -1}, 1),
        "kl: the temperature is -1, expected more than 0.");
    add("transpose", cpu::makeTranspose({{2, 3}, {0, 0}}, 1), "transpose: the order does not hold each axis once.");
    add("reduce", cpu::makeReduce({Reduction::Sum, {2, 3}, {false, false}}, 1),
        "reduce: of 2 axes 2 are marked, expected as many and at least one to reduce.");
    add("concatenate", cpu::makeConcatenate({2, {{3, true}, {-1, true}}}, 1),
        "concatenate: a part's size is -1, expected at least 0.");
    add("cast", cpu::makeCast({4, DType::F32, DType::F32}, 1),
        "cast: from f32 to f32, expected two of f32, bf16 and f16.");
    add("cast to integers", cpu::makeCast({4, DType::F32, DType::I32}, 1),
        "cast: from f32 to i32, expected two of f32, bf16 and f16.");
    const char* fused = ": the CPU has no kernel that does several operations at once.";
    add("dense with an activation",
        cpu::makeDense({.batch = 1, .inputs = 1, .outputs = 1, .epilogue = Epilogue::Relu}, 1), str("dense", fused));
    add("batch norm with ReLU", cpu::makeBatchNorm({.rows = 1, .channels = 2, .relu = true}, 1),
        str("batch_norm", fused));
    add("batch norm with an addend", cpu::makeBatchNormBackward({.rows = 1, .channels = 2, .addend = true}, 1),
        str("batch_norm", fused));
    add("layer norm with a residual", cpu::makeLayerNormBackward({.rows = 1, .columns = 2, .residual = true}, 1),
        str("layer_norm", fused));
}

void KernelsTest::impossibleDimensionsAreRefused()
{
    QFETCH(std::string, message);
    QFETCH(std::string, expected);
    QCOMPARE(message, expected);
}

void KernelsTest::extremeValuesSaturate()
{
    const float infinity = std::numeric_limits<float>::infinity();
    const std::vector<float> x{-infinity, -1000, -100, 0, 100, 1000, infinity};
    const std::vector<float> sigmoid = activated(Nonlinearity::Sigmoid, x);
    for (std::size_t i = 0; i < 3; ++i) QVERIFY(sigmoid[i] >= 0 && sigmoid[i] < 1e-38F);
    QCOMPARE(std::vector<float>(sigmoid.begin() + 3, sigmoid.end()), (std::vector<float>{0.5F, 1, 1, 1}));
    QCOMPARE(activated(Nonlinearity::Tanh, x), (std::vector<float>{-1, -1, -1, 0, 1, 1, 1}));
    const std::vector<float> finite(x.begin() + 1, x.end() - 1);
    QCOMPARE(activated(Nonlinearity::GeluExact, finite), (std::vector<float>{0, 0, 0, 100, 1000}));
    QCOMPARE(activated(Nonlinearity::GeluTanh, finite), (std::vector<float>{0, 0, 0, 100, 1000}));
}

void KernelsTest::nanIsNeverHidden()
{
    for (const Nonlinearity kind : {Nonlinearity::Relu, Nonlinearity::GeluExact, Nonlinearity::GeluTanh,
                                    Nonlinearity::Tanh, Nonlinearity::Sigmoid, Nonlinearity::LeakyRelu,
                                    Nonlinearity::Silu, Nonlinearity::Elu, Nonlinearity::Softplus}) {
        for (const float value : activated(kind, std::vector<float>(33, kNaN))) QVERIFY(std::isnan(value));
    }
    const std::vector<float> x{1, kNaN, 3, 2};
    float y = 0;
    run(cpu::makeMaxPool2d({.batch = 1, .height = 2, .width = 2, .channels = 1}, 1), {x.data()}, {&y});
    QVERIFY(std::isnan(y));
    std::vector<float> softmax(4);
    run(cpu::makeSoftmax({1, 4}, 1), {x.data()}, {softmax.data()});
    QVERIFY(std::isnan(softmax[0]));
    run(cpu::makeReduce({Reduction::Max, {1, 4}, {false, true}}, 1), {x.data()}, {&y});
    QVERIFY(std::isnan(y));
    std::vector<float> maxima(2);
    run(cpu::makeReduce({Reduction::Max, {2, 2}, {true, false}}, 1), {x.data()}, {maxima.data()});
    QVERIFY(maxima[0] == 3 && std::isnan(maxima[1]));
}

void KernelsTest::unknownLabelMakesTheLossNaN()
{
    const std::vector<float> x{1, 2, 3, 4};
    for (const std::int32_t label : {-1, 2, std::numeric_limits<std::int32_t>::max()}) {
        const std::vector<std::int32_t> labels{1, label};
        float loss = 0, correct = 0;
        std::vector<float> dx(4);
        run(cpu::makeCrossEntropy({2, 2}, 1), {x.data(), labels.data(), nullptr}, {&loss, &correct, dx.data()});
        QVERIFY(std::isnan(loss));
        QCOMPARE(correct, 1.0F);
    }
}

void KernelsTest::ignoredRowsCountNowhere()
{
    const std::vector<float> x{1, 2, 3, 5};
    std::vector<std::int32_t> labels{-100, 0};
    float loss = 0, correct = 0;
    std::vector<float> dx(4);
    run(cpu::makeCrossEntropy({2, 2}, 1), {x.data(), labels.data(), nullptr}, {&loss, &correct, dx.data()});
    QVERIFY(std::abs(loss - 2.126928F) < 1e-5F); // log(1 + e^2)
    QCOMPARE(std::vector<float>(dx.begin(), dx.begin() + 2), (std::vector<float>{0, 0}));
    labels[1] = -100;
    run(cpu::makeCrossEntropy({2, 2}, 1), {x.data(), labels.data(), nullptr}, {&loss, &correct, dx.data()});
    QVERIFY(std::isnan(loss));
    QCOMPARE(correct, 0.0F);
    QCOMPARE(dx, std::vector<float>(4, 0));
}

void KernelsTest::wrongIndicesGiveNaN()
{
    const std::vector<float> x{1, 2, 3};
    const std::vector<std::int32_t> index{2, 3, -1};
    std::vector<float> y(3), dx(3);
    const Gather gather{.outer = 1, .size = 3, .count = 3, .inner = 1};
    run(cpu::makeGather(gather, 1), {x.data(), index.data()}, {y.data()});
    QCOMPARE(y[0], 3.0F);
    QVERIFY(std::isnan(y[1]) && std::isnan(y[2]));
    run(cpu::makeGatherBackward(gather, 1), {index.data(), x.data()}, {dx.data()});
    QCOMPARE(dx, (std::vector<float>{0, 0, 1}));
}

void KernelsTest::largeLogitsDoNotOverflow()
{
    const std::vector<float> x{1e4F, -1e4F, 0};
    const std::vector<std::int32_t> labels{1};
    float loss = 0, correct = 0;
    std::vector<float> dx(3);
    run(cpu::makeCrossEntropy({1, 3}, 1), {x.data(), labels.data(), nullptr}, {&loss, &correct, dx.data()});
    QCOMPARE(loss, 2e4F);
    QCOMPARE(correct, 0.0F);
    QCOMPARE(dx, (std::vector<float>{1, -1, 0}));
}

void KernelsTest::dropoutKeepsTheStatedShare()
{
    const std::vector<float> y = dropped(0.3, 100'000, 1, 0);
    std::size_t kept = 0;
    for (const float value : y) {
        QVERIFY(value == 0 || value == 1 / 0.7F);
        kept += value != 0 ? 1 : 0;
    }
    QVERIFY2(std::abs(static_cast<double>(kept) - 70'000) < 600, std::to_string(kept).c_str()); // four deviations
}

void KernelsTest::dropoutMaskFollowsSeedAndStep()
{
    const std::vector<float> mask = dropped(0.5, 100'001, 1, 7);
    QCOMPARE(dropped(0.5, 100'001, 1, 7, 3), mask);
    QVERIFY(dropped(0.5, 100'001, 1, 8) != mask);
    QVERIFY(dropped(0.5, 100'001, 2, 7) != mask);
}

void KernelsTest::optimizersLeavePaddingAlone()
{
    const std::vector<Segment> segments{{0, 3, true}, {4, 6, false}};
    const std::vector<float> gradients(7, 0.0F);
    std::vector<float> weights(7, 1.0F), first(7, 0.0F), second(7, 0.0F);
    const Adam adam{.learningRate = 0.5, .weightDecay = 0.5, .decoupled = true};
    const std::vector<std::span<float>> state{first, second};
    cpu::update(adam, {segments, weights, gradients, state});
    QCOMPARE(weights, (std::vector<float>{0.75F, 0.75F, 0.75F, 1, 1, 1, 1}));
    weights.assign(7, 1.0F);
    cpu::update(Sgd{.learningRate = 0.5, .weightDecay = 0.5}, {segments, weights, gradients, state});
    QCOMPARE(weights, (std::vector<float>{0.75F, 0.75F, 0.75F, 1, 1, 1, 1}));
}

void KernelsTest::optimizersDoNotDependOnThreads()
{
    const std::size_t count = 1'000'003;
    const std::vector<float> start = randomValues(count, "weights"), gradients = randomValues(count, "gradients");
    const std::vector<Segment> segments{{0, 7, false}, {16, count, true}};
    std::vector<float> expected;
    for (const int threads : {1, 2, 3}) {
        std::vector<float> weights = start, first(count), second(count);
        const std::vector<std::span<float>> state{first, second};
        for (std::int64_t step = 1; step <= 2; ++step) {
            cpu::update(Adam{.weightDecay = 0.1, .step = step}, {segments, weights, gradients, state, {}, threads});
            cpu::update(Lamb{.weightDecay = 0.1, .step = step}, {segments, weights, gradients, state, {}, threads});
        }
        if (expected.empty()) expected = weights;
        QVERIFY(weights == expected);
    }
}

void KernelsTest::normAndScale()
{
    std::vector<float> values = randomValues(1'000'003, "norm");
    double expected = 0;
    for (const float value : values) expected += static_cast<double>(value) * static_cast<double>(value);
    const double norm = cpu::squaredNorm(values, 1);
    QVERIFY(std::abs(norm / expected - 1) < 1e-12);
    QCOMPARE(cpu::squaredNorm(values, 3), norm);
    QCOMPARE(cpu::squaredNorm({}, 2), 0.0);

    std::vector<float> scaled = values;
    cpu::scale(scaled, 0.5F, 3);
    for (std::size_t i = 0; i < values.size(); ++i) QVERIFY(scaled[i] == values[i] * 0.5F);
}

void KernelsTest::everyNonFiniteValueIsFound()
{
    std::vector<float> values(1000, std::numeric_limits<float>::max());
    QVERIFY(cpu::allFinite(values, 2));
    QVERIFY(cpu::allFinite({}, 1));
    for (const float bad :
         {kNaN, -kNaN, std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            values[i] = bad;
            QVERIFY(!cpu::allFinite(values, 2));
            values[i] = 0;
        }
    }
}

void KernelsTest::castsRoundToTheNearest_data()
{
    QTest::addColumn<int>("type");
    QTest::newRow("bf16") << static_cast<int>(DType::BF16);
    QTest::newRow("f16") << static_cast<int>(DType::F16);
}

void KernelsTest::castsRoundToTheNearest()
{
    QFETCH(int, type);
    const auto half = static_cast<DType>(type);
    const auto converted = [&](auto to, DType toType, const auto& from, DType fromType) {
        std::vector<decltype(to)> result(from.size());
        const void* input = from.data();
        void* output = result.data();
        const auto count = static_cast<std::int64_t>(from.size());
        cpu::makeCast({count, fromType, toType}, 2).value()->run({.inputs = {&input, 1}, .outputs = {&output, 1}});
        return result;
    };
    // every positive finite number of the type, and infinity
    std::vector<std::uint16_t> bits(half == DType::BF16 ? 0x7F81 : 0x7C01);
    std::iota(bits.begin(), bits.end(), std::uint16_t{0});
    const auto values = converted(float{}, DType::F32, bits, half);
    QCOMPARE(values.front(), 0.0f);
    QCOMPARE(values[half == DType::BF16 ? 0x3F80 : 0x3C00], 1.0f);
    QCOMPARE(values[1], half == DType::BF16 ? 0x1p-133f : 0x1p-24f);
    QVERIFY(std::isinf(values.back()));
    QCOMPARE(converted(std::uint16_t{}, half, values, DType::F32), bits);

    // halfway between two neighbours the even one is taken, just beside it the nearer one
    std::vector<float> between;
    std::vector<std::uint16_t> expected;
    for (std::size_t i = 0; i + 1 < values.size(); ++i) {
        const bool last = i + 2 == values.size(); // the next one would be twice the last one's power of 2
        const double above = last ? 2.0 * values[i] - values[i - 1] : values[i + 1];
        const auto middle = static_cast<float>((values[i] + above) / 2);
        const std::uint16_t lower = bits[i], upper = bits[i + 1];
        for (const auto& [value, nearest] :
             {std::pair(middle, lower % 2 == 0 ? lower : upper), std::pair(std::nextafter(middle, 0.0f), lower),
              std::pair(std::nextafter(middle, INFINITY), upper)}) {
            between.insert(between.end(), {value, -value});
            expected.insert(expected.end(), {nearest, static_cast<std::uint16_t>(nearest | 0x8000U)});
        }
    }
    QCOMPARE(converted(std::uint16_t{}, half, between, DType::F32), expected);
    const auto nan = converted(std::uint16_t{}, half, std::vector<float>{std::nanf("")}, DType::F32);
    QVERIFY(std::isnan(converted(float{}, DType::F32, nan, half)[0]));
}

QTEST_GUILESS_MAIN(KernelsTest)
#include "kernels_test.moc"
