// L-BFGS and conjugate gradients with their vectors on a device, against the same searches on the CPU.
#include "engine/train/optimizer.h"
#include "kernels/base/random.h"
#include "tests/cuda/test_device.h"

#include <QTest>

#include <cmath>

using namespace millrace;
using namespace millrace::train;
using namespace millrace::test;

namespace {

/// A bowl with axes of different lengths and a bend: sum of c[i] (w[i] - 1)^2 + (w[i+1] - w[i])^4.
double bowl(std::span<const float> w, std::span<float> gradient)
{
    double loss = 0;
    for (std::size_t i = 0; i < w.size(); ++i) {
        const double c = 1 + static_cast<double>(i % 5), x = static_cast<double>(w[i]) - 1;
        loss += c * x * x;
        double slope = 2 * c * x;
        if (i + 1 < w.size()) {
            const double d = static_cast<double>(w[i + 1]) - static_cast<double>(w[i]);
            loss += d * d * d * d;
            slope -= 4 * d * d * d;
        }
        if (i > 0) slope += 4 * std::pow(static_cast<double>(w[i]) - static_cast<double>(w[i - 1]), 3);
        gradient[i] = static_cast<float>(slope);
    }
    return loss;
}

struct HostBowl final : Objective
{
    std::vector<float> at, gradient;
    explicit HostBowl(const std::vector<float>& start) : at(start), gradient(start.size()) {}
    Result<double> evaluate() override { return bowl(at, gradient); }
    std::span<float> parameters() override { return at; }
    std::span<float> gradients() override { return gradient; }
};

struct DeviceBowl final : Objective
{
    std::size_t count;
    OnDevice<float> at, gradient;
    DeviceBowl(kernels::Device& device, const std::vector<float>& start)
        : count(start.size()), at(device, start), gradient(device, start)
    {
    }
    Result<double> evaluate() override
    {
        std::vector<float> values(count);
        const double loss = bowl(at.read(), values);
        gradient.write(values);
        return loss;
    }
    std::span<float> parameters() override { return {at.data(), count}; }
    std::span<float> gradients() override { return {gradient.data(), count}; }
};

constexpr std::size_t kSize = 999; // no multiple of four: the vectors of the history lie anywhere

ParameterLayout layout()
{
    return {{{0, 500, true}, {512, kSize, false}}, kSize};
}

} // namespace

class LineSearchTest : public QObject
{
    Q_OBJECT

private slots:
    void initTestCase()
    {
        auto opened = openTestDevice();
        MR_REQUIRE_DEVICE(opened);
        m_device = std::move(*opened);
    }
    void followsTheCpu_data();
    void followsTheCpu();
    void goesOnFromWhatWasKept_data() { followsTheCpu_data(); }
    void goesOnFromWhatWasKept();
    void settingsBecomeRules();

private:
    std::vector<float> start() const
    {
        Random random(3, 4);
        std::vector<float> values(kSize);
        for (float& value : values) value = static_cast<float>(random.normal());
        return values;
    }
    std::unique_ptr<Optimizer> onDevice(const QString& id)
    {
        OptimizerSettings settings = OptimizerSettings::of(id.toStdString());
        settings.weightDecay = 0.01;
        return std::move(*createLineSearch(settings, layout(), deviceVectors(*m_device)));
    }
    std::unique_ptr<kernels::Device> m_device;
};

void LineSearchTest::followsTheCpu_data()
{
    QTest::addColumn<QString>("id");
    QTest::newRow("lbfgs") << QStringLiteral("lbfgs");
    QTest::newRow("cg") << QStringLiteral("cg");
}

void LineSearchTest::followsTheCpu()
{
    QFETCH(QString, id);
    OptimizerSettings settings = OptimizerSettings::of(id.toStdString());
    settings.weightDecay = 0.01;
    HostBowl host(start());
    DeviceBowl device(*m_device, start());
    const auto ofCpu = createOptimizer(settings, layout(), 1);
    QVERIFY(ofCpu);
    const auto ofDevice = onDevice(id);
    double last = 0;
    // the history of L-BFGS goes round; sums in another order differ in the last bits of f64 alone
    for (std::int64_t step = 1; step <= 15; ++step) {
        QVERIFY((*ofCpu)->step(host, 1, step));
        const Status moved = ofDevice->step(device, 1, step);
        QVERIFY2(moved, moved ? "" : moved.error().toString().c_str());
        const double expected = *host.evaluate();
        last = *device.evaluate();
        QVERIFY2(std::abs(last - expected) < 1e-4 * (1 + expected),
                 qPrintable(QStringLiteral("%1 for %2 at step %3").arg(last).arg(expected).arg(step)));
    }
    QVERIFY2(last < 0.1, qPrintable(QString::number(last))); // from thousands; decay keeps it above 0
}

// What a checkpoint keeps is all that the next step depends on.
void LineSearchTest::goesOnFromWhatWasKept()
{
    QFETCH(QString, id);
    DeviceBowl whole(*m_device, start()), parts(*m_device, start());
    const auto one = onDevice(id), first = onDevice(id), second = onDevice(id);
    for (std::int64_t step = 1; step <= 6; ++step) QVERIFY(one->step(whole, 1, step));
    for (std::int64_t step = 1; step <= 3; ++step) QVERIFY(first->step(parts, 1, step));
    const auto kept = first->vectors(), into = second->vectors();
    for (const auto& [name, values] : kept) {
        QVERIFY(into.contains(name));
        m_device->copy(into.at(name).data(), values.data(), values.size_bytes());
    }
    const auto numbers = first->numbers(), numbersInto = second->numbers();
    for (const auto& [name, bytes] : numbers) std::memcpy(numbersInto.at(name).data(), bytes.data(), bytes.size());
    for (std::int64_t step = 4; step <= 6; ++step) QVERIFY(second->step(parts, 1, step));
    QVERIFY(whole.at.read() == parts.at.read());
}

void LineSearchTest::settingsBecomeRules()
{
    const auto rule = updateRule(OptimizerSettings::of("adamw"));
    QVERIFY(rule);
    QVERIFY(std::get<kernels::Adam>(*rule).decoupled);
    QCOMPARE(stateNames(*rule).size(), std::size_t{2});
    QVERIFY(stateNames(*rule)[1] == "second_moment");
    const auto ofSearch = updateRule(OptimizerSettings::of("lbfgs"));
    QVERIFY(!ofSearch);
    QCOMPARE(ofSearch.error().code, Code::Unsupported);
    const auto unknown = updateRule(OptimizerSettings::of("adamv"));
    QVERIFY(!unknown);
    QVERIFY(unknown.error().toString().find("adamw") != std::string::npos);
    QVERIFY(!createLineSearch(OptimizerSettings::of("adamw"), layout(), deviceVectors(*m_device)));
}

QTEST_GUILESS_MAIN(LineSearchTest)
#include "line_search_test.moc"
