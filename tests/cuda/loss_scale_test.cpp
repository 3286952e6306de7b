// A device's losses multiply their gradient by the counter's loss scale, and nothing else by it.
#include "kernels/base/half.h"
#include "kernels/base/random.h"
#include "tests/cuda/test_device.h"

#include <QTest>

using namespace millrace;
using namespace millrace::kernels;
using namespace millrace::test;

namespace {

constexpr float kScale = 1024; // a power of two: multiplying by it loses no bits

struct Answer
{
    float loss = 0;
    std::vector<float> gradient;
};

template <class Element> float valueOf(Element element)
{
    if constexpr (std::is_same_v<Element, float>)
        return element;
    else
        return fromBf16(element);
}

template <class Element> std::vector<Element> randomElements(std::size_t count, std::uint64_t stream)
{
    Random random(5, stream);
    std::vector<Element> elements;
    for (std::size_t i = 0; i < count; ++i) {
        const auto value = static_cast<float>(random.normal());
        if constexpr (std::is_same_v<Element, float>)
            elements.push_back(value);
        else
            elements.push_back(toBf16(value));
    }
    return elements;
}

/// Runs a loss of two inputs whose outputs are loss, [hits,] gradient.
template <class Element, class Second>
Answer run(Device& device, Kernel& kernel, const std::vector<Element>& x, const std::vector<Second>& second,
           bool countsHits, float lossScale)
{
    const OnDevice<Element> logits(device, x), gradient(device, x);
    const OnDevice<Second> targets(device, second);
    const OnDevice<float> loss(device, 0.0F), hits(device, 0.0F);
    const OnDevice<Counter> counter(device, Counter{1, 2, lossScale});
    const auto scratch = *device.allocate(kernel.scratchBytes() + 1, "scratch");
    const std::vector<const void*> inputs{logits.data(), targets.data(), nullptr};
    std::vector<void*> outputs{loss.data()};
    if (countsHits) outputs.push_back(hits.data());
    outputs.push_back(gradient.data());
    kernel.run({.inputs = inputs, .outputs = outputs, .scratch = scratch->at(0), .counter = counter.data()});
    Answer answer{loss.read().front(), {}};
    for (const Element element : gradient.read()) answer.gradient.push_back(valueOf(element));
    return answer;
}

} // namespace

class LossScaleTest : public QObject
{
    Q_OBJECT

private:
    std::unique_ptr<Device> m_device;

    template <class Element, class Second>
    void compare(KernelResult made, const std::vector<Element>& x, const std::vector<Second>& second, bool countsHits)
    {
        QVERIFY2(made, made ? "" : made.error().toString().c_str());
        const Answer plain = run(*m_device, **made, x, second, countsHits, 1);
        const Answer scaled = run(*m_device, **made, x, second, countsHits, kScale);
        QVERIFY(m_device->status());
        QCOMPARE(scaled.loss, plain.loss);
        QVERIFY(plain.gradient.front() != 0);
        for (std::size_t i = 0; i < plain.gradient.size(); ++i)
            QCOMPARE(scaled.gradient[i], kScale * plain.gradient[i]);
    }

    template <class Element> void compareCrossEntropy(DType type, std::int64_t rows, std::int64_t classes)
    {
        const CrossEntropy loss{.rows = rows, .classes = classes, .labelSmoothing = 0.125};
        std::vector<std::int32_t> labels;
        for (std::int64_t r = 0; r < rows; ++r) labels.push_back(static_cast<std::int32_t>(r % classes));
        compare(m_device->factory(type).makeCrossEntropy(loss),
                randomElements<Element>(static_cast<std::size_t>(rows * classes), 1), labels, true);
    }

private slots:
    void initTestCase()
    {
        auto device = openTestDevice();
        MR_REQUIRE_DEVICE(device);
        m_device = std::move(*device);
    }

    void crossEntropy()
    {
        compareCrossEntropy<float>(DType::F32, 5, 7);   // one block
        compareCrossEntropy<float>(DType::F32, 3, 301); // rows in shared memory
        compareCrossEntropy<std::uint16_t>(DType::BF16, 5, 7);
        compareCrossEntropy<std::uint16_t>(DType::BF16, 3, 301);
    }

    void elementLosses()
    {
        const Factory& factory = m_device->factory(DType::F32);
        for (const std::int64_t n : {7, 9001}) { // one block, several
            const auto x = randomElements<float>(static_cast<std::size_t>(n), 2);
            const auto target = randomElements<float>(static_cast<std::size_t>(n), 3);
            compare(factory.makeMeanSquaredError({n}), x, target, false);
            compare(factory.makeMeanAbsoluteError({n}), x, target, false);
            compare(factory.makeHuber({n, 0.5}), x, target, false);
            compare(factory.makeBinaryCrossEntropy({n}), x, target, true);
        }
    }

    void klDivergence()
    {
        const auto x = randomElements<float>(3 * 77, 4), teacher = randomElements<float>(3 * 77, 5);
        compare(m_device->factory(DType::F32).makeKlDivergence({3, 77, 2}), x, teacher, false);
    }
};

QTEST_GUILESS_MAIN(LossScaleTest)
#include "loss_scale_test.moc"
