// Every operation against PyTorch: graphs with values from operations/*.txt, through loss, autodiff, plan and executor.
#include "engine/execute/executor.h"
#include "engine/graph/operations.h"
#include "kernels/base/text.h"
#include "tests/oracle/operation_case.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

using namespace millrace;
using namespace millrace::oracle;
using compile::Mode;
using execute::Executor;
using execute::Weights;

namespace {

constexpr double kTolerance = 1e-5;

std::vector<OperationCase> allCases()
{
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(MILLRACE_TEST_DATA "/operations"))
        paths.push_back(entry.path().string());
    std::sort(paths.begin(), paths.end());
    std::vector<OperationCase> cases;
    for (const std::string& path : paths)
        for (OperationCase& one : readOperationCases(path)) cases.push_back(std::move(one));
    return cases;
}

const OperationCase& caseAt(int index)
{
    static const std::vector<OperationCase> cases = allCases();
    return cases[static_cast<std::size_t>(index)];
}

/// What is wrong with the values; empty where nothing is.
std::string compare(const std::string& what, std::span<const float> actual, const std::vector<double>& expected)
{
    if (actual.size() != expected.size())
        return str(what, " has ", actual.size(), " values, expected ", expected.size(), ".");
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
        const double value = static_cast<double>(actual[i]);
        if (!std::isfinite(value)) return str(what, " is not finite at ", i, ".");
        difference += (value - expected[i]) * (value - expected[i]);
        norm += expected[i] * expected[i];
    }
    const double error = std::sqrt(norm > 0 ? difference / norm : difference);
    return error <= kTolerance ? std::string() : str(what, " is off by ", significant(error, 3), " of its norm.");
}

/// A program of a case, ready to run.
struct Bench
{
    std::shared_ptr<Weights> weights;
    std::unique_ptr<Executor> executor;

    Bench(const OperationCase& test, graph::Graph graph)
    {
        const auto program = compile::plan(std::move(graph), test.mode).value();
        weights = Weights::create(program, 1).value();
        executor = Executor::create(program, weights, 1).value();
        for (auto list : {weights->namedParameters(), weights->namedStates()})
            for (const Weights::Named& tensor : list) write(test.tensors.at(tensor.name), tensor.values);
        for (const auto& [name, values] : test.inputs) {
            if (!program.graph.ports().contains(name)) continue;
            if (program.graph.tensor(program.graph.port(name).value()).type == DType::I32)
                write(values, executor->integers(name).value());
            else
                write(values, executor->floats(name).value());
        }
    }

    template <class T> static void write(const std::vector<double>& from, std::span<T> to)
    {
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(from[i]);
    }

    std::string run() const
    {
        const Status status = executor->run(1, 0, true);
        return status ? std::string() : status.error().toString();
    }

    std::string comparePort(const OperationCase& test, const std::string& port) const
    {
        const auto expected = test.expected.find(port);
        return expected == test.expected.end() ? std::string()
                                               : compare(port, executor->floats(port).value(), expected->second);
    }

    std::string compareStates(const OperationCase& test) const
    {
        for (const Weights::Named& state : weights->namedStates())
            if (std::string wrong = compare(state.name, state.values, test.expected.at("state " + state.name));
                !wrong.empty())
                return wrong;
        return {};
    }
};

/// The case without gradients: its output, its loss where it has one, and its states.
std::string runForward(const OperationCase& test)
{
    const auto graph = test.loss ? compile::withLoss(test.graph, *test.loss, test.options) : Result(test.graph);
    if (!graph) return graph.error().toString();
    const Bench bench(test, *graph);
    if (std::string wrong = bench.run(); !wrong.empty()) return wrong;
    for (const char* port : {"output", "loss", "correct"})
        if (std::string wrong = bench.comparePort(test, port); !wrong.empty()) return wrong;
    return bench.compareStates(test);
}

std::string runTraining(const OperationCase& test)
{
    const auto graph = compile::withGradients(test.graph, *test.loss, test.options);
    if (!graph) return graph.error().toString();
    const Bench bench(test, *graph);
    if (std::string wrong = bench.run(); !wrong.empty()) return wrong;
    for (const char* port : {"loss", "correct"})
        if (std::string wrong = bench.comparePort(test, port); !wrong.empty()) return "training: " + wrong;
    for (const Weights::Named& parameter : bench.weights->namedParameters())
        if (std::string wrong = bench.comparePort(test, "gradient/" + parameter.name); !wrong.empty()) return wrong;
    return bench.compareStates(test);
}

} // namespace

class OperationsTest : public QObject
{
    Q_OBJECT

private slots:
    void agreesWithPyTorch_data();
    void agreesWithPyTorch();
    void everyKindIsExecuted();
    void aWrongValueIsNoticed();
};

void OperationsTest::agreesWithPyTorch_data()
{
    QTest::addColumn<int>("index");
    const std::vector<OperationCase> cases = allCases();
    QVERIFY(cases.size() > 50);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        QVERIFY2(cases[i].problem.empty(), str(cases[i].title, ": ", cases[i].problem).c_str());
        QTest::newRow(cases[i].title.c_str()) << static_cast<int>(i);
    }
}

void OperationsTest::agreesWithPyTorch()
{
    QFETCH(int, index);
    const OperationCase& test = caseAt(index);
    std::string wrong = runForward(test);
    if (wrong.empty() && test.loss) wrong = runTraining(test);
    QVERIFY2(wrong.empty(), wrong.c_str());
}

void OperationsTest::everyKindIsExecuted()
{
    // what only passes for GPUs write is held to what it stands for in tests/compile
    std::set<std::string> executed{"add_layer_norm", "cast"};
    for (const OperationCase& test : allCases()) {
        const auto graph = test.loss ? compile::withGradients(test.graph, *test.loss, test.options) : test.graph;
        for (const auto& operation : graph.value().operations()) executed.insert(operation.kind);
    }
    for (const auto& kind : graph::operationKinds())
        QVERIFY2(executed.contains(std::string(kind.name)), std::string(kind.name).c_str());
}

void OperationsTest::aWrongValueIsNoticed()
{
    const std::vector<double> expected{1, 2, 3};
    const std::vector<float> near{1, 2, 3.00001F}, far{1, 2, 3.0001F}, few{1, 2}, broken{1, 2, NAN};
    QCOMPARE(compare("x", near, expected), std::string());
    QCOMPARE(compare("x", far, expected), std::string("x is off by 2.67e-05 of its norm."));
    QCOMPARE(compare("x", few, expected), std::string("x has 2 values, expected 3."));
    QCOMPARE(compare("x", broken, expected), std::string("x is not finite at 2."));
}

QTEST_GUILESS_MAIN(OperationsTest)
#include "operations_test.moc"
