// The graph: shapes and error texts of every operation as text cases, costs, and the state after a refusal.
#include "engine/graph/operations.h"
#include "kernels/base/text.h"

#include <QtTest>

#include <fstream>
#include <sstream>

using namespace millrace;
using namespace millrace::graph;

namespace {

struct Case
{
    std::string title;
    int line = 0;
    std::vector<std::string> lines;
};

constexpr const char* kCaseFiles[] = {MILLRACE_TEST_DATA "/cases/shapes.txt",
                                      MILLRACE_TEST_DATA "/cases/sequences.txt",
                                      MILLRACE_TEST_DATA "/cases/types.txt", MILLRACE_TEST_DATA "/cases/fused.txt"};

std::vector<Case> readCases()
{
    std::vector<Case> cases;
    for (const char* path : kCaseFiles) {
        std::ifstream file(path);
        std::string line;
        for (int number = 1; std::getline(file, line); ++number) {
            if (line.empty() || line[0] == '#') continue;
            if (line[0] == '[')
                cases.push_back({line.substr(1, line.size() - 2), number, {}});
            else
                cases.back().lines.push_back(line);
        }
    }
    return cases;
}

std::vector<std::int64_t> numbers(std::string_view text, std::string_view separator)
{
    std::vector<std::int64_t> result;
    while (true) {
        const std::size_t end = text.find(separator);
        result.push_back(parseInteger(text.substr(0, end)).value());
        if (end == std::string_view::npos) return result;
        text.remove_prefix(end + separator.size());
    }
}

Attribute attributeOf(const std::string& text)
{
    if (text.find(',') != std::string::npos) return numbers(text, ",");
    if (const auto integer = parseInteger(text)) return std::int64_t{*integer};
    if (const auto number = parseDouble(text)) return *number;
    return text;
}

/// Runs the lines of one case on an empty graph.
class Interpreter
{
public:
    /// What the line comes to: outputs, or an error, or an empty text for a tensor.
    std::string run(const std::string& line)
    {
        const std::size_t equals = line.find(" = ");
        return equals == std::string::npos ? addOperation(line)
                                           : addTensor(line.substr(0, equals), line.substr(equals + 3));
    }

private:
    /// A role, a shape and, where it is not f32 (i32 for labels), a type.
    std::string addTensor(const std::string& name, const std::string& what)
    {
        const auto words = split(what, ' ');
        const std::string role(words[0]);
        Tensor tensor;
        tensor.name = name;
        tensor.shape = *Shape::create(numbers(words[1], "×"));
        tensor.type = role == "labels" ? DType::I32 : DType::F32;
        for (const DType type : {DType::BF16, DType::F16})
            if (words.size() > 2 && words[2] == millrace::name(type)) tensor.type = type;
        tensor.role = role == "parameter" ? Role::Parameter : role == "state" ? Role::State : Role::Input;
        m_ids[name] = m_graph.addTensor(tensor);
        return {};
    }

    std::string addOperation(const std::string& line)
    {
        const std::size_t open = line.find('('), close = line.find(')');
        const std::string front = line.substr(0, open);
        const auto head = split(trimmed(front), ' ');
        std::vector<TensorId> inputs;
        const std::string list = line.substr(open + 1, close - open - 1);
        for (const auto name : split(list, ',')) inputs.push_back(m_ids.at(std::string(trimmed(name))));
        std::map<std::string, Attribute> attributes;
        std::istringstream rest(line.substr(close + 1));
        for (std::string word; rest >> word;)
            attributes[word.substr(0, word.find('='))] = attributeOf(word.substr(word.find('=') + 1));

        const std::size_t before = m_graph.operations().size() + m_graph.tensors().size();
        const auto outputs = m_graph.add(std::string(head[0]), std::string(head[1]), inputs, attributes);
        if (!outputs) {
            const bool untouched = before == m_graph.operations().size() + m_graph.tensors().size();
            return str("!! ", outputs.error().toString(), untouched ? "" : " (and the graph was changed)");
        }
        std::vector<std::string> texts;
        for (const TensorId id : *outputs) {
            m_ids[m_graph.tensor(id).name] = id;
            const Tensor& tensor = m_graph.tensor(id);
            const bool isF32 = tensor.type == DType::F32;
            texts.push_back(str(tensor.name, " ", tensor.shape.toString(), isF32 ? "" : " ",
                                isF32 ? "" : name(tensor.type)));
        }
        return str("-> ", joined(texts, ", "));
    }

    Graph m_graph;
    std::map<std::string, TensorId> m_ids;
};

TensorId tensor(Graph& graph, const std::string& name, Shape shape, Role role)
{
    Tensor result;
    result.name = name;
    result.shape = shape;
    result.role = role;
    return graph.addTensor(result);
}

} // namespace

class GraphTest : public QObject
{
    Q_OBJECT

private slots:
    void shapesAndErrors_data();
    void shapesAndErrors();
    void everyForwardKindHasACase();
    void costsFollowTheShapes();
    void hugeShapesAreRefused();
    void portsSuggestTheNearestName();
};

void GraphTest::shapesAndErrors_data()
{
    QTest::addColumn<int>("index");
    const auto cases = readCases();
    QVERIFY(cases.size() > 10);
    for (std::size_t i = 0; i < cases.size(); ++i) QTest::newRow(cases[i].title.c_str()) << static_cast<int>(i);
}

void GraphTest::shapesAndErrors()
{
    QFETCH(int, index);
    const Case test = readCases()[static_cast<std::size_t>(index)];
    Interpreter interpreter;
    for (std::size_t i = 0; i < test.lines.size(); ++i) {
        const std::string result = interpreter.run(test.lines[i]);
        if (result.empty()) continue;
        ++i;
        QVERIFY2(i < test.lines.size(), "an operation without an expectation");
        QCOMPARE(QString::fromStdString(result), QString::fromStdString(test.lines[i]));
    }
}

void GraphTest::everyForwardKindHasACase()
{
    std::stringstream content;
    for (const char* path : kCaseFiles) content << std::ifstream(path).rdbuf();
    for (const OperationKind& kind : operationKinds()) {
        if (!kind.gradient) continue;
        QVERIFY2(content.str().find(str("\n", kind.name, " ")) != std::string::npos, std::string(kind.name).c_str());
    }
}

void GraphTest::costsFollowTheShapes()
{
    Graph graph;
    const auto x = tensor(graph, "features", {2, 8, 8, 4}, Role::Input);
    const auto w = tensor(graph, "conv.weight", {6, 3, 3, 4}, Role::Parameter);
    const auto b = tensor(graph, "conv.bias", {6}, Role::Parameter);
    const auto y = *graph.add("conv2d", "conv", {x, w, b}, {{"padding", std::int64_t{1}}});
    // 2·8·8·6 outputs, each of 3·3·4 multiply-adds; 4 bytes for each element of x, weight, bias and y
    QCOMPARE(graph.cost().flops, 2.0 * (2 * 8 * 8 * 6) * (3 * 3 * 4));
    QCOMPARE(graph.cost().bytes, 4.0 * (512 + 216 + 6 + 768));
    QCOMPARE(graph.parameterCount(), 222);

    (void)*graph.add("flatten", "flat", {y[0]});
    QCOMPARE(graph.cost().bytes, 4.0 * (512 + 216 + 6 + 768)); // a view moves nothing

    const auto back = *graph.add("conv2d_backward_weights", "conv", {x, y[0]},
                                 {{"padding", std::int64_t{1}}, {"size", std::vector<std::int64_t>{3, 3}}});
    QCOMPARE(graph.tensor(back[0]).shape, graph.tensor(w).shape);
    QCOMPARE(costOf(graph, graph.operations().back()).flops, 2.0 * (2 * 8 * 8 * 6) * (3 * 3 * 4));
}

void GraphTest::hugeShapesAreRefused()
{
    Graph graph;
    const std::int64_t large = std::int64_t{1} << 31;
    const auto x = tensor(graph, "features", {large, 2}, Role::Input);
    const auto w = tensor(graph, "w", {large, 2}, Role::Parameter);
    const auto y = *graph.add("dense", "a", {x, w});
    const auto again = graph.add("dense", "b", {y[0], tensor(graph, "v", {8, large}, Role::Parameter)});
    QVERIFY(again.has_value());
    const auto wide = tensor(graph, "wide", {large, large / 4}, Role::Parameter);
    const auto tall = tensor(graph, "tall", {large * 4, large / 4}, Role::Input);
    const auto result = graph.add("dense", "c", {tall, wide});
    QVERIFY(!result);
    QCOMPARE(result.error().toString(), std::string("node c: The product of the dimensions is larger than 2^62."));
}

void GraphTest::portsSuggestTheNearestName()
{
    Graph graph;
    graph.ports()["features"] = tensor(graph, "features", {2, 4}, Role::Input);
    QVERIFY(graph.port("features").has_value());
    QCOMPARE(graph.port("feature").error().toString(),
             std::string("The model has no port \"feature\". Did you mean features?"));
    QCOMPARE(graph.port("feature").error().code, Code::NotFound);
}

QTEST_GUILESS_MAIN(GraphTest)
#include "graph_test.moc"
