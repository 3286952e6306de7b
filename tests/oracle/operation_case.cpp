#include "tests/oracle/operation_case.h"

#include "kernels/base/text.h"

#include <fstream>
#include <sstream>

namespace millrace::oracle {

namespace {

using graph::Attribute;
using graph::Role;
using graph::TensorId;

std::vector<double> numbers(std::string_view text)
{
    std::vector<double> result;
    for (const std::string_view word : split(text, ' '))
        if (!word.empty()) result.push_back(parseDouble(word).value());
    return result;
}

std::vector<std::int64_t> integers(std::string_view text, char separator)
{
    std::vector<std::int64_t> result;
    for (const std::string_view word : split(text, separator)) result.push_back(parseInteger(word).value());
    return result;
}

Attribute attributeOf(std::string_view text)
{
    if (text.find(',') != std::string_view::npos) return integers(text, ',');
    if (const auto integer = parseInteger(text)) return std::int64_t{*integer};
    if (const auto number = parseDouble(text)) return *number;
    return std::string(text);
}

/// Builds one case from its lines.
class Reader
{
public:
    explicit Reader(std::string title) { m_case.title = std::move(title); }

    void read(const std::string& line)
    {
        const std::size_t colon = line.find(" : "), equals = line.find(" = "), open = line.find('(');
        const std::string front = line.substr(0, colon);
        const std::vector<double> values =
            colon == std::string::npos ? std::vector<double>() : numbers(line.substr(colon + 3));
        const auto words = split(front, ' ');
        if (equals != std::string::npos)
            addTensor(std::string(words[0]), words[2], words[3], values);
        else if (open != std::string::npos)
            addOperation(line, open);
        else if (words[0] == "mode")
            m_case.mode = words[1] == "inference" ? compile::Mode::Inference : compile::Mode::Training;
        else if (words[0] == "output")
            m_case.graph.ports()["output"] = m_ids.at(std::string(words[1]));
        else if (words[0] == "loss")
            setLoss(words);
        else if (words[0] == "expected")
            m_case.inputs[m_case.loss == compile::Loss::CrossEntropy ? "labels" : "targets"] = values;
        else if (words[0] == "class_weights")
            setClassWeights(values);
        else if (words[0] == "expect")
            expect(words, values);
        else
            m_case.problem = str("\"", front, "\" is no line of a case.");
    }

    OperationCase take() { return std::move(m_case); }

private:
    void addTensor(const std::string& name, std::string_view role, std::string_view shape, std::vector<double> values)
    {
        graph::Tensor tensor;
        tensor.name = name;
        tensor.shape = Shape::create(integers(shape, 'x')).value();
        tensor.type = role == "integers" ? DType::I32 : DType::F32;
        tensor.role = role == "parameter" ? Role::Parameter : role == "state" ? Role::State : Role::Input;
        const TensorId id = m_ids[name] = m_case.graph.addTensor(tensor);
        if (tensor.role == Role::Input) {
            m_case.graph.ports()[name] = id;
            m_case.inputs[name] = std::move(values);
        } else {
            m_case.tensors[name] = std::move(values);
        }
    }

    void addOperation(const std::string& line, std::size_t open)
    {
        const std::size_t close = line.find(')');
        const std::string front = line.substr(0, open - 1), list = line.substr(open + 1, close - open - 1);
        const auto head = split(front, ' ');
        std::vector<TensorId> inputs;
        for (const auto name : split(list, ',')) inputs.push_back(m_ids.at(std::string(trimmed(name))));
        std::map<std::string, Attribute> attributes;
        std::istringstream rest(line.substr(close + 1));
        for (std::string word; rest >> word;)
            attributes[word.substr(0, word.find('='))] = attributeOf(word.substr(word.find('=') + 1));
        const auto outputs =
            m_case.graph.add(std::string(head[0]), std::string(head[1]), std::move(inputs), std::move(attributes));
        if (!outputs) {
            m_case.problem = outputs.error().toString();
            return;
        }
        for (const TensorId id : *outputs) m_ids[m_case.graph.tensor(id).name] = id;
    }

    void setLoss(const std::vector<std::string_view>& words)
    {
        using enum compile::Loss;
        const std::map<std::string_view, compile::Loss> known{{"cross_entropy", CrossEntropy},
                                                              {"binary_cross_entropy", BinaryCrossEntropy},
                                                              {"mse", MeanSquaredError},
                                                              {"mae", MeanAbsoluteError},
                                                              {"huber", Huber},
                                                              {"kl", KullbackLeibler}};
        m_case.loss = known.at(words[1]);
        for (std::size_t i = 2; i < words.size(); ++i) {
            const auto pair = split(words[i], '=');
            const double value = parseDouble(pair[1]).value();
            if (pair[0] == "label_smoothing") m_case.options.labelSmoothing = value;
            if (pair[0] == "ignore_index") m_case.options.ignoreIndex = static_cast<std::int64_t>(value);
            if (pair[0] == "delta") m_case.options.huberDelta = value;
            if (pair[0] == "temperature") m_case.options.temperature = value;
        }
    }

    void setClassWeights(const std::vector<double>& values)
    {
        for (const double value : values) m_case.options.classWeights.push_back(static_cast<float>(value));
        m_case.inputs["class_weights"] = values;
    }

    /// "expect loss", "expect gradient x", "expect state mean"
    void expect(const std::vector<std::string_view>& words, const std::vector<double>& values)
    {
        const std::string what(words[1]), name(words.size() > 2 ? words[2] : std::string_view());
        m_case.expected[what == "gradient" ? "gradient/" + name : what == "state" ? "state " + name : what] = values;
    }

    OperationCase m_case;
    std::map<std::string, TensorId> m_ids;
};

} // namespace

std::vector<OperationCase> readOperationCases(const std::string& path)
{
    std::vector<OperationCase> cases;
    std::optional<Reader> reader;
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        if (line[0] != '[') {
            reader->read(line);
            continue;
        }
        if (reader) cases.push_back(reader->take());
        reader.emplace(line.substr(1, line.size() - 2));
    }
    if (reader) cases.push_back(reader->take());
    return cases;
}

} // namespace millrace::oracle
