// Updates of flat buffers on a device against the CPU's, what they do beside it (mirror, factor, skipping), and the
// functions that look at gradients and add up vectors, against loops in double.
#include "kernels/base/half.h"
#include "kernels/base/random.h"
#include "kernels/cpu/optimizer.h"
#include "tests/cuda/test_device.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>

using namespace millrace;
using namespace millrace::kernels;
using namespace millrace::test;

namespace {

using Floats = std::vector<float>;

Floats randomValues(std::size_t count, std::uint64_t stream, double scale = 1)
{
    Random random(11, stream);
    Floats values(count);
    for (float& value : values) value = static_cast<float>(scale * random.normal());
    return values;
}

/// Tensors of odd sizes with padding between them; one lies across pieces, one begins within a group of four, and three
/// are matrices of a hidden layer.
std::vector<Segment> oddSegments()
{
    return {{0, 1, false},       {3, 10, true},       {16, 16 + 960, true, 24, 40},      {976, 1936, true, 40, 24},
            {1937, 6943, true},  {6943, 6950, false}, {6960, 6960 + 256, false, 16, 16}, {7301, 13001, false},
            {13002, 13002, true}};
}
constexpr std::size_t kSize = 13008;

bool isPadding(std::size_t index)
{
    return std::ranges::none_of(oddSegments(), [&](const Segment& s) { return s.begin <= index && index < s.end; });
}

double distance(const Floats& a, const Floats& b)
{
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
        difference += (x - y) * (x - y);
        norm += y * y;
    }
    return std::sqrt(difference / norm);
}

bool sameBits(const Floats& a, const Floats& b)
{
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// The buffers of one rule on the device.
struct Bench
{
    Device& device;
    OnDevice<float> weights, gradients;
    std::vector<OnDevice<float>> state;
    std::vector<float*> statePointers;
    OnDevice<std::uint16_t> mirror;
    OnDevice<StepControl> control;
    OnDevice<StepOutcome> outcome;
    std::unique_ptr<Update> update;
    std::unique_ptr<Memory> scratch;

    Bench(Device& on, const UpdateRule& rule, std::span<const Segment> segments, const Floats& start)
        : device(on), weights(on, start), gradients(on, start), mirror(on, std::vector<std::uint16_t>(start.size())),
          control(on, StepControl{}), outcome(on, StepOutcome{}), update(*on.makeUpdate(rule, segments)),
          scratch(*on.allocate(update->scratchBytes(), "scratch"))
    {
        const std::size_t states = std::visit([](const auto& options) { return options.kState.size(); }, rule);
        for (std::size_t i = 0; i < states; ++i) {
            state.emplace_back(on, Floats(start.size()));
            statePointers.push_back(state.back().data());
        }
    }
    UpdateOperands operands()
    {
        return {.weights = weights.data(),
                .gradients = gradients.data(),
                .state = statePointers,
                .mirror = mirror.data(),
                .scratch = scratch->at(0),
                .control = control.data(),
                .outcome = outcome.data()};
    }
    void setControl(const StepControl& value) { control.write({&value, 1}); }
    void setOutcome(const StepOutcome& value) { outcome.write({&value, 1}); }
};

struct RuleCase
{
    const char* name;
    UpdateRule rule;
    double rate;
};

const std::vector<RuleCase>& ruleCases()
{
    static const std::vector<RuleCase> cases{
        {"sgd", Sgd{.momentum = 0.9, .weightDecay = 0.01}, 0.1},
        {"sgd nesterov", Sgd{.momentum = 0.9, .weightDecay = 0.01, .nesterov = true}, 0.1},
        {"adam", Adam{.weightDecay = 0.01}, 0.01},
        {"adamw", Adam{.weightDecay = 0.1, .decoupled = true}, 0.01},
        {"nadam", Nadam{.weightDecay = 0.01}, 0.01},
        {"rmsprop", RmsProp{.momentum = 0.9, .weightDecay = 0.01}, 0.01},
        {"adagrad", Adagrad{.weightDecay = 0.01}, 0.1},
        {"adadelta", Adadelta{.weightDecay = 0.01}, 1},
        {"lamb", Lamb{.weightDecay = 0.05}, 0.01},
        {"lion", Lion{.weightDecay = 0.1}, 0.01},
        {"muon", Muon{}, 0.02},
        {"muon without nesterov", Muon{.nesterov = false}, 0.02},
    };
    return cases;
}

void updateOnCpu(const UpdateRule& rule, const StepControl& control, std::span<const Segment> segments, Floats& weights,
                 const Floats& gradients, std::vector<Floats>& state)
{
    std::vector<std::span<float>> spans(state.begin(), state.end());
    Floats scratch(cpu::muonScratch(segments));
    std::visit(
        [&](auto options) {
            options.learningRate = control.learningRate;
            if constexpr (requires { options.step; }) options.step = control.update;
            cpu::update(options, {segments, weights, gradients, spans, scratch, 1});
        },
        rule);
}

} // namespace

class OptimizerTest : public QObject
{
    Q_OBJECT

private slots:
    void init()
    {
        auto opened = openTestDevice();
        MR_REQUIRE_DEVICE(opened);
        m_device = std::move(*opened);
    }
    void cleanup()
    {
        if (!m_device) return;
        QVERIFY2(m_device->synchronize(), "the device failed");
        m_device.reset();
    }
    void updatesFollowTheCpu_data();
    void updatesFollowTheCpu();
    void nothingChangesWithoutAFiniteGradient_data() { updatesFollowTheCpu_data(); }
    void nothingChangesWithoutAFiniteGradient();
    void aCapturedUpdateReadsItsRateAnew();
    void segmentsAreChecked();
    void mirrorsAreRoundedAtRandom_data();
    void mirrorsAreRoundedAtRandom();
    void gradientsAreFinished_data();
    void gradientsAreFinished();
    void gradientsThatAreNotFiniteAreFound_data();
    void gradientsThatAreNotFiniteAreFound();
    void theLossScaleGoesUpAndDown();
    void vectorsOfAnyAlignment_data();
    void vectorsOfAnyAlignment();

private:
    std::unique_ptr<Device> m_device;
};

void OptimizerTest::updatesFollowTheCpu_data()
{
    QTest::addColumn<std::size_t>("index");
    for (std::size_t i = 0; i < ruleCases().size(); ++i) QTest::newRow(ruleCases()[i].name) << i;
}

void OptimizerTest::updatesFollowTheCpu()
{
    QFETCH(std::size_t, index);
    const auto& [name, rule, rate] = ruleCases()[index];
    const std::vector<Segment> segments = oddSegments();
    const Floats start = randomValues(kSize, 1);
    Bench bench(*m_device, rule, segments, start);
    Floats weights = start;
    std::vector<Floats> state(bench.state.size(), Floats(kSize));
    constexpr float kFactor = 0.25F; // a power of two, so that the CPU's product has the same bits
    bench.setOutcome({.gradientFactor = kFactor});
    for (std::int64_t step = 1; step <= 6; ++step) {
        const StepControl control{{1, static_cast<std::uint64_t>(step)}, rate * (step < 3 ? 1 : 0.5), step};
        Floats gradients = randomValues(kSize, 100 + static_cast<std::uint64_t>(step));
        bench.gradients.write(gradients);
        bench.setControl(control);
        bench.update->run(bench.operands());
        for (float& g : gradients) g *= kFactor;
        updateOnCpu(rule, control, segments, weights, gradients, state);
    }
    const Floats result = bench.weights.read();
    QVERIFY2(distance(result, weights) < 1e-5, qPrintable(QString::number(distance(result, weights))));
    for (std::size_t i = 0; i < state.size(); ++i) {
        const Floats moment = bench.state[i].read();
        QVERIFY2(distance(moment, state[i]) < 1e-5, qPrintable(QString::number(distance(moment, state[i]))));
    }
    const auto mirror = bench.mirror.read();
    for (std::size_t i = 0; i < kSize; ++i) {
        if (isPadding(i)) QCOMPARE(result[i], start[i]);
        QCOMPARE(mirror[i], isPadding(i) ? 0 : toBf16(result[i]));
    }
}

void OptimizerTest::nothingChangesWithoutAFiniteGradient()
{
    QFETCH(std::size_t, index);
    const Floats start = randomValues(kSize, 1);
    const std::vector<Segment> segments = oddSegments();
    Bench bench(*m_device, ruleCases()[index].rule, segments, start);
    bench.gradients.write(Floats(kSize, std::numeric_limits<float>::quiet_NaN()));
    bench.setOutcome({.finite = 0});
    bench.update->run(bench.operands());
    QVERIFY(sameBits(bench.weights.read(), start));
    for (const auto& state : bench.state) QVERIFY(sameBits(state.read(), Floats(kSize)));
    QVERIFY(bench.mirror.read() == std::vector<std::uint16_t>(kSize));
}

void OptimizerTest::aCapturedUpdateReadsItsRateAnew()
{
    const Floats start = randomValues(kSize, 1);
    const std::vector<Segment> segments = oddSegments();
    const Adam rule{.decoupled = true};
    Bench direct(*m_device, rule, segments, start), replayed(*m_device, rule, segments, start);
    auto captured = m_device->capture([&] { replayed.update->run(replayed.operands()); });
    QVERIFY2(captured, captured ? "" : captured.error().toString().c_str());
    for (std::int64_t step = 1; step <= 3; ++step) {
        const StepControl control{{1, 1}, 0.01 / static_cast<double>(step), step};
        direct.setControl(control);
        direct.update->run(direct.operands());
        replayed.setControl(control);
        (*captured)->launch();
    }
    QVERIFY(sameBits(replayed.weights.read(), direct.weights.read()));
    QVERIFY(!sameBits(replayed.weights.read(), start));
}

void OptimizerTest::segmentsAreChecked()
{
    const std::vector<Segment> overlapping{{0, 10}, {9, 20}}, backwards{{10, 9}}, noMatrix{{0, 10, true, 3, 4}};
    for (const auto& segments : {overlapping, backwards, noMatrix}) {
        const auto update = m_device->makeUpdate(Sgd{}, segments);
        QVERIFY(!update);
        QCOMPARE(update.error().code, Code::InvalidArgument);
    }
    QVERIFY(m_device->makeUpdate(Sgd{}, {}));
}

void OptimizerTest::mirrorsAreRoundedAtRandom_data()
{
    QTest::addColumn<bool>("isF16");
    QTest::addColumn<float>("value");
    QTest::addColumn<float>("below");
    QTest::addColumn<float>("above");
    QTest::newRow("bf16") << false << 1.0F + 0.3F / 128 << 1.0F << 1.0F + 1.0F / 128;
    QTest::newRow("bf16, below 0") << false << -3.0F - 0.9F / 64 << -3.0F - 1.0F / 64 << -3.0F;
    QTest::newRow("bf16, exact") << false << 0.75F << 0.75F << 0.75F;
    QTest::newRow("bf16, infinite") << false << INFINITY << INFINITY << INFINITY;
    QTest::newRow("f16") << true << 1.0F + 0.3F / 1024 << 1.0F << 1.0F + 1.0F / 1024;
    QTest::newRow("f16, below 0") << true << -3.0F - 0.9F / 512 << -3.0F - 1.0F / 512 << -3.0F;
    QTest::newRow("f16, subnormal") << true << 2.3F * 0x1p-24F << 0x1p-23F << 3 * 0x1p-24F;
    QTest::newRow("f16, nearly 0") << true << -0.2F * 0x1p-24F << -0x1p-24F << -0.0F;
    QTest::newRow("f16, infinite") << true << INFINITY << INFINITY << INFINITY;
}

void OptimizerTest::mirrorsAreRoundedAtRandom()
{
    QFETCH(bool, isF16);
    QFETCH(float, value);
    QFETCH(float, below);
    QFETCH(float, above);
    constexpr std::size_t kCount = 20000;
    const std::vector<Segment> segments{{0, kCount}};
    Bench bench(*m_device, Lion{}, segments, Floats(kCount, value));
    bench.gradients.write(Floats(kCount));
    UpdateOperands operands = bench.operands();
    operands.mirrorType = isF16 ? DType::F16 : DType::BF16;
    operands.stochasticRounding = true;
    const auto draw = [&](std::uint64_t step) {
        bench.setControl({{7, step}, 0, 1});
        bench.update->run(operands);
        return bench.mirror.read();
    };
    const auto mirror = draw(1), again = draw(1), other = draw(2);
    QVERIFY(mirror == again);
    QCOMPARE(mirror == other, below == above);

    std::size_t up = 0;
    for (const std::uint16_t bits : mirror) {
        const float stored = isF16 ? fromF16(bits) : fromBf16(bits);
        QVERIFY2(stored == below || stored == above, qPrintable(QString::number(static_cast<double>(stored))));
        up += stored == above ? 1 : 0;
    }
    if (below == above) return;
    // a share of kCount draws, within five standard deviations
    const double chance = static_cast<double>(value - below) / static_cast<double>(above - below);
    const double share = static_cast<double>(up) / kCount;
    QVERIFY2(std::abs(share - chance) < 5 * std::sqrt(chance * (1 - chance) / kCount),
             qPrintable(QString::number(share)));
    // and the same draws as on the host: number i mod 4 of block i / 4
    for (std::size_t i = 0; i < kCount && !isF16; ++i) {
        const std::uint32_t random = philox(7, streamOf("rounding") + 1, i / 4)[i % 4];
        const float away = std::abs(above) > std::abs(below) ? above : below, nearer = away == above ? below : above;
        const double part = static_cast<double>((value - nearer) / (away - nearer));
        const bool goesAway = (random >> 16) + std::lround(part * 65536) >= 65536;
        QCOMPARE(fromBf16(mirror[i]), goesAway ? away : nearer);
    }
}

void OptimizerTest::gradientsAreFinished_data()
{
    QTest::addColumn<std::size_t>("count");
    QTest::addColumn<double>("clipValue");
    QTest::addColumn<double>("clipNorm");
    QTest::addColumn<float>("weight");
    QTest::addColumn<float>("lossScale");
    QTest::newRow("as they are") << std::size_t{5000} << 0.0 << 0.0 << 1.0F << 1.0F;
    QTest::newRow("averaged") << std::size_t{5001} << 0.0 << 0.0 << 3.0F << 1.0F;
    QTest::newRow("clipped by norm") << std::size_t{5002} << 0.0 << 1.0 << 3.0F << 1.0F;
    QTest::newRow("below the norm") << std::size_t{5003} << 0.0 << 1e6 << 3.0F << 1.0F;
    QTest::newRow("clipped by value") << std::size_t{70001} << 0.1 << 0.0 << 3.0F << 1.0F;
    QTest::newRow("all of it") << std::size_t{70002} << 0.1 << 2.0 << 3.0F << 1024.0F;
    QTest::newRow("one") << std::size_t{1} << 0.0 << 0.1 << 1.0F << 1.0F;
    QTest::newRow("none") << std::size_t{0} << 0.0 << 0.1 << 1.0F << 1.0F;
}

void OptimizerTest::gradientsAreFinished()
{
    QFETCH(std::size_t, count);
    QFETCH(double, clipValue);
    QFETCH(double, clipNorm);
    QFETCH(float, weight);
    QFETCH(float, lossScale);
    Floats values = randomValues(count, 5, static_cast<double>(weight * lossScale));
    OnDevice<float> gradients(*m_device, values);
    OnDevice<StepControl> control(*m_device, StepControl{{1, 1, lossScale}});
    OnDevice<StepOutcome> outcome(*m_device, StepOutcome{.gradientFactor = 9});
    const auto scratch = *m_device->allocate(m_device->gradientScratchBytes(), "scratch");
    m_device->finishGradients(gradients.data(), count, {weight, clipValue, clipNorm}, control.data(), outcome.data(),
                              scratch->at(0));
    // as engine/train does it: divided, clamped, clipped
    std::vector<double> expected(count);
    double square = 0;
    for (std::size_t i = 0; i < count; ++i) {
        expected[i] = static_cast<double>(values[i]) / static_cast<double>(weight * lossScale);
        if (clipValue > 0) expected[i] = std::clamp(expected[i], -clipValue, clipValue);
        square += expected[i] * expected[i];
    }
    const double norm = std::sqrt(square), clip = clipNorm > 0 && norm > clipNorm ? clipNorm / norm : 1;
    const StepOutcome found = outcome.read()[0];
    QVERIFY2(std::abs(found.gradientNorm - norm) <= 1e-6 * norm, qPrintable(QString::number(found.gradientNorm)));
    QCOMPARE(found.finite, 1U);
    QCOMPARE(found.skippedSteps, 0U);
    const Floats after = gradients.read();

    // in two halves, as two ranks have them
    gradients.write(values);
    OnDevice<double> squares(*m_device, std::vector<double>{0, 0});
    OnDevice<StepOutcome> together(*m_device, StepOutcome{.gradientFactor = 9});
    const GradientOptions options{weight, clipValue, clipNorm};
    const std::size_t middle = count / 8 * 4;
    m_device->squareGradients(gradients.data(), middle, options, control.data(), squares.data(), scratch->at(0));
    m_device->squareGradients(gradients.data() + middle, count - middle, options, control.data(), squares.data() + 1,
                              scratch->at(0));
    m_device->concludeGradients(squares.data(), 2, options, control.data(), together.data());
    QVERIFY(std::abs(together.read()[0].gradientNorm - norm) <= 1e-6 * norm);
    QCOMPARE(together.read()[0].gradientFactor, found.gradientFactor);
    QCOMPARE(gradients.read(), after);

    for (std::size_t i = 0; i < count; ++i) {
        const double used = static_cast<double>(after[i] * found.gradientFactor);
        QVERIFY(std::abs(used - clip * expected[i]) <= 1e-6 * std::abs(expected[i]));
        if (clipValue == 0) QCOMPARE(after[i], values[i]);
    }
}

void OptimizerTest::gradientsThatAreNotFiniteAreFound_data()
{
    QTest::addColumn<float>("bad");
    QTest::addColumn<std::size_t>("at");
    QTest::addColumn<double>("clipValue");
    for (const double clipValue : {0.0, 0.5}) {
        const auto place = [&](const char* name, float bad, std::size_t at) {
            QTest::addRow("%s, clip %g", name, clipValue) << bad << at << clipValue;
        };
        place("NaN", NAN, 0);
        place("infinity", INFINITY, 4999);
        place("-infinity", -INFINITY, 2500);
    }
}

void OptimizerTest::gradientsThatAreNotFiniteAreFound()
{
    QFETCH(float, bad);
    QFETCH(std::size_t, at);
    QFETCH(double, clipValue);
    Floats values = randomValues(5000, 5);
    values[at] = bad;
    OnDevice<float> gradients(*m_device, values);
    OnDevice<StepControl> control(*m_device, StepControl{{1, 1, 256}});
    OnDevice<StepOutcome> outcome(*m_device, StepOutcome{.goodSteps = 5, .skippedSteps = 2});
    const auto scratch = *m_device->allocate(m_device->gradientScratchBytes(), "scratch");
    m_device->finishGradients(gradients.data(), values.size(), {1, clipValue, 1}, control.data(), outcome.data(),
                              scratch->at(0));
    QCOMPARE(outcome.read()[0].finite, 0U);
    QCOMPARE(outcome.read()[0].goodSteps, 0U);
    QCOMPARE(outcome.read()[0].skippedSteps, 3U);
    QCOMPARE(control.read()[0].counter.lossScale, 256.0F); // only a dynamic one changes

    // steps that are on their way already must not move the weights of one that diverged
    gradients.write(randomValues(5000, 5));
    const auto finiteAfter = [&](bool dynamicScale) {
        m_device->finishGradients(gradients.data(), values.size(), {.dynamicScale = dynamicScale}, control.data(),
                                  outcome.data(), scratch->at(0));
        return outcome.read()[0].finite;
    };
    QCOMPARE(finiteAfter(false), 0U);
    QCOMPARE(finiteAfter(true), 1U);
}

void OptimizerTest::theLossScaleGoesUpAndDown()
{
    const Floats good = randomValues(100, 5);
    Floats bad = good;
    bad[7] = NAN;
    OnDevice<float> gradients(*m_device, good);
    OnDevice<StepControl> control(*m_device, StepControl{{1, 1, 4}});
    OnDevice<StepOutcome> outcome(*m_device, StepOutcome{});
    const auto scratch = *m_device->allocate(m_device->gradientScratchBytes(), "scratch");
    const auto scaleAfter = [&](const Floats& values) {
        gradients.write(values);
        m_device->finishGradients(gradients.data(), values.size(), {.dynamicScale = true}, control.data(),
                                  outcome.data(), scratch->at(0));
        return control.read()[0].counter.lossScale;
    };
    QCOMPARE(scaleAfter(bad), 2.0F);
    QCOMPARE(scaleAfter(bad), 1.0F);
    QCOMPARE(scaleAfter(bad), LossScale::kSmallest);
    QCOMPARE(scaleAfter(good), 1.0F);
    QCOMPARE(outcome.read()[0].skippedSteps, 3U);
    QCOMPARE(outcome.read()[0].goodSteps, 1U);
    const StepOutcome almost{.goodSteps = LossScale::kGoodSteps - 2};
    outcome.write({&almost, 1});
    QCOMPARE(scaleAfter(good), 1.0F);
    QCOMPARE(scaleAfter(good), 2.0F);
    QCOMPARE(outcome.read()[0].goodSteps, 0U);
    // the gradients of that step still had the old scale
    QVERIFY(std::abs(outcome.read()[0].gradientFactor - 1.0F) < 1e-6F);

    const StepControl high{{1, 1, LossScale::kLargest}};
    control.write({&high, 1});
    const StepOutcome last{.goodSteps = LossScale::kGoodSteps - 1};
    outcome.write({&last, 1});
    QCOMPARE(scaleAfter(good), LossScale::kLargest);
}

void OptimizerTest::vectorsOfAnyAlignment_data()
{
    QTest::addColumn<std::size_t>("offset");
    QTest::addColumn<std::size_t>("count");
    for (const std::size_t offset : {0, 1, 2, 4})
        for (const std::size_t count : {0, 1, 7, 4096, 12345})
            QTest::addRow("%zu from %zu", count, offset) << offset << count;
}

void OptimizerTest::vectorsOfAnyAlignment()
{
    QFETCH(std::size_t, offset);
    QFETCH(std::size_t, count);
    const std::size_t size = count + 9;
    Floats x = randomValues(size, 21), y = randomValues(size, 22);
    OnDevice<float> a(*m_device, x), b(*m_device, y);
    OnDevice<std::uint16_t> stored(*m_device, std::vector<std::uint16_t>(size));
    float *const pa = a.data() + offset, *const pb = b.data() + offset;
    const std::span<float> sx(x.data() + offset, count), sy(y.data() + offset, count);

    double dot = 0, sizes = 0, largest = 0;
    for (std::size_t i = 0; i < count; ++i) {
        dot += static_cast<double>(sx[i]) * static_cast<double>(sy[i]);
        sizes += static_cast<double>(std::abs(sx[i]));
        largest = std::max(largest, static_cast<double>(std::abs(sx[i])));
    }
    QVERIFY(std::abs(*m_device->dot(pa, pb, count) - dot) <= 1e-9 * (1 + sizes));
    QCOMPARE(*m_device->dot(pa, pb, count), *m_device->dot(pa, pb, count));
    QVERIFY(std::abs(*m_device->sumOfSizes(pa, count) - sizes) <= 1e-9 * (1 + sizes));
    QCOMPARE(*m_device->largest(pa, count), largest);

    m_device->combine(pa, 0.5F, pb, -2.0F, count); // exact, or rounded once
    for (std::size_t i = 0; i < count; ++i) sx[i] = std::fma(0.5F, sx[i], -2.0F * sy[i]);
    QVERIFY(sameBits(a.read(), x));
    m_device->scale(pa, 3.0F, count);
    for (float& value : sx) value *= 3.0F;
    QVERIFY(sameBits(a.read(), x));
    m_device->exchange(pa, pb, count);
    std::ranges::swap_ranges(sx, sy);
    QVERIFY(sameBits(a.read(), x));
    QVERIFY(sameBits(b.read(), y));
    for (const DType type : {DType::BF16, DType::F16}) {
        m_device->convert(stored.data() + offset, type, pa, count);
        const auto bits = stored.read();
        for (std::size_t i = 0; i < size; ++i) {
            const bool within = i >= offset && i < offset + count;
            QCOMPARE(bits[i], !within ? 0 : type == DType::BF16 ? toBf16(x[i]) : toF16(x[i]));
        }
    }
}

QTEST_GUILESS_MAIN(OptimizerTest)
#include "optimizer_test.moc"
