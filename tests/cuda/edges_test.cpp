// What is no number, no label or not the only maximum: a device's kernels do with it what the CPU's do.
#include "kernels/base/text.h"
#include "kernels/cpu/factory.h"
#include "tests/cuda/test_device.h"

#include <QTest>

#include <cmath>
#include <functional>
#include <limits>

using namespace millrace;
using namespace millrace::kernels;
using namespace millrace::test;

namespace {

using Floats = std::vector<float>;
using Labels = std::vector<std::int32_t>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// An operand: values, or labels in their place.
struct Input
{
    Input(Floats floats) : values(std::move(floats)) {}
    Input(const Labels& labels) : values(labels.size())
    {
        std::memcpy(values.data(), labels.data(), labels.size() * sizeof(float));
    }
    Floats values;
};

using Make = std::function<KernelResult(const Factory&)>;

/// The outputs of a kernel of the CPU.
std::vector<Floats> runHere(Kernel& kernel, const std::vector<Input>& inputs, const std::vector<std::size_t>& sizes)
{
    std::vector<Floats> outputs;
    for (const std::size_t size : sizes) outputs.emplace_back(size);
    std::vector<const void*> from;
    std::vector<void*> to;
    for (const Input& input : inputs) from.push_back(input.values.empty() ? nullptr : input.values.data());
    for (Floats& output : outputs) to.push_back(output.data());
    std::vector<std::max_align_t> scratch(kernel.scratchBytes() / sizeof(std::max_align_t) + 1);
    const Counter counter{};
    kernel.run(
        {.inputs = from, .outputs = to, .scratch = reinterpret_cast<std::byte*>(scratch.data()), .counter = &counter});
    return outputs;
}

std::vector<Floats> runThere(Device& device, Kernel& kernel, const std::vector<Input>& inputs,
                             const std::vector<std::size_t>& sizes)
{
    std::vector<std::unique_ptr<OnDevice<float>>> memory;
    std::vector<const void*> from;
    std::vector<void*> to;
    const auto put = [&](const Floats& values) {
        memory.push_back(std::make_unique<OnDevice<float>>(device, values));
        return memory.back()->data();
    };
    for (const Input& input : inputs) from.push_back(input.values.empty() ? nullptr : put(input.values));
    const std::size_t first = memory.size();
    for (const std::size_t size : sizes) to.push_back(put(Floats(size)));
    const OnDevice<Counter> counter(device, Counter{});
    const auto scratch = *device.allocate(kernel.scratchBytes() + 1, "scratch");
    kernel.run({.inputs = from, .outputs = to, .scratch = scratch->at(0), .counter = counter.data()});
    std::vector<Floats> outputs;
    for (std::size_t i = first; i < memory.size(); ++i) outputs.push_back(memory[i]->read());
    return outputs;
}

bool agree(float a, float b)
{
    if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
    if (std::isinf(a) || std::isinf(b)) return a == b;
    return std::abs(a - b) <= 1e-6F + 1e-5F * std::abs(b);
}

} // namespace

class EdgesTest : public QObject
{
    Q_OBJECT

private:
    std::unique_ptr<Device> m_device;

    void compare(const char* what, const Make& make, const std::vector<Input>& inputs,
                 const std::vector<std::size_t>& sizes)
    {
        auto here = make(cpu::CpuFactory(1));
        auto there = make(m_device->factory(DType::F32));
        QVERIFY2(here, here ? "" : here.error().toString().c_str());
        QVERIFY2(there, there ? "" : there.error().toString().c_str());
        const auto expected = runHere(**here, inputs, sizes);
        const auto found = runThere(*m_device, **there, inputs, sizes);
        QVERIFY(m_device->status());
        for (std::size_t o = 0; o < sizes.size(); ++o)
            for (std::size_t i = 0; i < sizes[o]; ++i)
                QVERIFY2(
                    agree(found[o][i], expected[o][i]),
                    str(what, ": output ", o, " at ", i, " is ", found[o][i], ", expected ", expected[o][i]).c_str());
    }

private slots:
    void initTestCase()
    {
        auto device = openTestDevice();
        MR_REQUIRE_DEVICE(device);
        m_device = std::move(*device);
    }

    void activations()
    {
        const Floats x{0, -0.0F, kNan, 100, -100, 1e-20F, -1e-20F, 30, -30}, dy(x.size(), 1);
        for (int kind = 0; kind <= static_cast<int>(Nonlinearity::Softplus); ++kind) {
            const Activation a{static_cast<Nonlinearity>(kind), static_cast<std::int64_t>(x.size()), 0.5};
            const Make forward = [&](const Factory& f) { return f.makeActivation(a); };
            compare("forward", forward, {x}, {x.size()});
            const Floats y = runHere(**forward(cpu::CpuFactory(1)), {x}, {x.size()}).front();
            compare("backward", [&](const Factory& f) { return f.makeActivationBackward(a); },
                    {gradientFromOutput(a.kind) ? y : x, dy}, {x.size()});
        }
    }

    /// Rows that begin between two vectors; some of their elements are ruled out, one row holds a NaN.
    void softmaxes()
    {
        Floats x(3 * 37, 0.5F);
        for (std::size_t i = 0; i < x.size(); i += 3) x[i] = -kInfinity;
        x[5] = 90;
        x[80] = kNan;
        compare("softmax", [](const Factory& f) { return f.makeSoftmax({3, 37}); }, {x}, {x.size()});
        compare("log softmax", [](const Factory& f) { return f.makeLogSoftmax({3, 37}); }, {x}, {x.size()});
    }

    /// Few classes, and many: one block for the batch, and one for each row.
    void crossEntropies()
    {
        for (const std::int64_t classes : {9, 300}) {
            const auto count = static_cast<std::size_t>(classes), size = 4 * count;
            const CrossEntropy loss{.rows = 4, .classes = classes, .ignoreIndex = -1};
            const Make make = [&](const Factory& f) { return f.makeCrossEntropy(loss); };
            Floats x(size, 1); // all are maxima: the first counts
            compare("equal logits", make, {x, Labels{0, 1, 8, 0}, Floats{}}, {1, 1, size});
            x[3] = -kInfinity;
            x[count + 7] = x[count + 8] = 4;
            compare("a class ruled out", make, {x, Labels{0, 7, 8, 2}, Floats{}}, {1, 1, size});
            compare("ignored rows", make, {x, Labels{-1, 7, -1, 2}, Floats{}}, {1, 1, size});
            compare("nothing but ignored rows", make, {x, Labels{-1, -1, -1, -1}, Floats{}}, {1, 1, size});
            compare("a label of no class", make, {x, Labels{0, 1, 300, 2}, Floats{}}, {1, 1, size});
            compare("no weight", make, {x, Labels{0, 1, 1, 0}, Floats(count, 0)}, {1, 1, size});
            x[2 * count] = kNan;
            compare("a NaN", make, {x, Labels{0, 1, 8, 2}, Floats{}}, {1, 1, size});
        }
    }

    void elementLosses()
    {
        const Floats x{1, 2, 3, kNan, 200, -200}, target{1, 0, 3.5F, 1, 1, 1};
        compare("mse", [](const Factory& f) { return f.makeMeanSquaredError({6}); }, {x, target}, {1, 6});
        compare("mae", [](const Factory& f) { return f.makeMeanAbsoluteError({6}); }, {x, target}, {1, 6});
        compare("huber", [](const Factory& f) { return f.makeHuber({6, 1}); }, {x, target}, {1, 6});
        compare("bce", [](const Factory& f) { return f.makeBinaryCrossEntropy({6}); }, {x, target}, {1, 1, 6});
    }

    /// A NaN wins, of equal ones the first does, and of nothing but -infinity as well.
    void maxima()
    {
        const Pool2d pool{.batch = 1,
                          .height = 4,
                          .width = 4,
                          .channels = 5,
                          .kernelHeight = 3,
                          .kernelWidth = 3,
                          .strideHeight = 1,
                          .strideWidth = 1,
                          .padHeight = 1,
                          .padWidth = 1};
        Floats x(16 * 5, 2);
        x[20] = x[21] = kNan;
        for (std::size_t i = 2; i < x.size(); i += 5) x[i] = -kInfinity;
        const Floats dy(x.size(), 1.5F);
        compare("max pooling", [&](const Factory& f) { return f.makeMaxPool2d(pool); }, {x}, {x.size()});
        compare("max pooling backward", [&](const Factory& f) { return f.makeMaxPool2dBackward(pool); }, {x, dy},
                {x.size()});
        for (const std::vector<bool>& reduced : {std::vector<bool>{true, false}, std::vector<bool>{false, true}}) {
            const Reduce reduce{Reduction::Max, {16, 5}, reduced};
            const std::size_t results = reduced[0] ? 5 : 16;
            compare("maximum", [&](const Factory& f) { return f.makeReduce(reduce); }, {x}, {results});
            const Floats y(results, 2), gradient(results, 3);
            compare("ties", [&](const Factory& f) { return f.makeReduceBackward(reduce); }, {x, y, gradient},
                    {x.size()});
        }
    }

    void picking()
    {
        const Gather gather{.outer = 1, .size = 3, .count = 4, .inner = 2};
        const Labels index{0, 1, 3, 2, -1, 1, 2, 2};
        compare("gather", [&](const Factory& f) { return f.makeGather(gather); }, {Floats{1, 2, 3, 4, 5, 6}, index},
                {8});
        compare("gather backward", [&](const Factory& f) { return f.makeGatherBackward(gather); },
                {index, Floats{1, 2, 3, 4, 5, 6, 7, 8}}, {6});
    }
};

QTEST_GUILESS_MAIN(EdgesTest)
#include "edges_test.moc"
