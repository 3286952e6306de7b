#include "tests/oracle/training/training_case.h"

#include "kernels/base/random.h"
#include "kernels/base/text.h"

#include <cmath>
#include <fstream>
#include <map>
#include <sstream>

namespace millrace::oracle {

namespace {

using pipeline::Json;
using pipeline::TargetKind;

constexpr std::uint64_t kWeightsSeed = 1, kRowsSeed = 2;

void readOptimizer(std::istringstream& words, TrainingCase& into)
{
    std::string id, pair;
    words >> id;
    auto& optimizer = into.settings.optimizer;
    optimizer = train::OptimizerSettings::of(id);
    const std::map<std::string, double*> numbers{
        {"learning_rate", &into.learningRate}, {"weight_decay", &optimizer.weightDecay},
        {"momentum", &optimizer.momentum},     {"beta1", &optimizer.beta1},
        {"beta2", &optimizer.beta2},           {"rho", &optimizer.rho},
        {"epsilon", &optimizer.epsilon}};
    while (words >> pair) {
        const std::string name = pair.substr(0, pair.find('='));
        const double value = std::stod(pair.substr(name.size() + 1));
        if (name == "nesterov")
            optimizer.nesterov = value != 0;
        else
            *numbers.at(name) = value;
    }
}

// After the loss, because it tells what the target is.
void readRows(const Json& json, TrainingCase& into)
{
    pipeline::RowsSchema& schema = into.schema;
    if (json.contains("vocabulary")) {
        schema.vocabulary = json["vocabulary"];
        schema.features = Shape{json["context"].get<std::int64_t>()};
        schema.target = TargetKind::NextToken;
        return;
    }
    schema.features = *Shape::create(json["features"].get<std::vector<std::int64_t>>());
    schema.image = schema.features.rank() == 3;
    into.signal = json["signal"];
    for (int i = 0; i < json["classes"].get<int>(); ++i) schema.classes.push_back(str("class ", i));
    const bool classes = into.loss == compile::Loss::CrossEntropy || into.loss == compile::Loss::KullbackLeibler;
    schema.target = classes ? TargetKind::Classes : TargetKind::Number;
}

const std::map<std::string, compile::Loss> kLosses{{"mse", compile::Loss::MeanSquaredError},
                                                   {"mae", compile::Loss::MeanAbsoluteError},
                                                   {"huber", compile::Loss::Huber},
                                                   {"binary_cross_entropy", compile::Loss::BinaryCrossEntropy},
                                                   {"kl", compile::Loss::KullbackLeibler}};

void readLine(const std::string& key, std::istringstream& words, TrainingCase& into)
{
    const std::map<std::string, double*> numbers{{"label_smoothing", &into.settings.labelSmoothing},
                                                 {"temperature", &into.options.temperature},
                                                 {"huber_delta", &into.options.huberDelta},
                                                 {"clip_norm", &into.settings.clipNorm},
                                                 {"clip_value", &into.settings.clipValue},
                                                 {"average", &into.settings.average},
                                                 {"rounding", &into.rounding}};
    const std::map<std::string, std::int64_t*> wholes{
        {"batch", &into.batch}, {"batches", &into.batches}, {"accumulation", &into.settings.accumulation}};
    std::string text;
    if (key == "optimizer") {
        readOptimizer(words, into);
    } else if (key == "class_weights") {
        for (float weight = 0; words >> weight;) into.options.classWeights.push_back(weight);
    } else if (const auto whole = wholes.find(key); whole != wholes.end()) {
        words >> *whole->second;
    } else if (const auto number = numbers.find(key); number != numbers.end()) {
        words >> *number->second;
    } else if (key == "inference" || key == "averaged") {
        words >> (key == "inference" ? into.inference : into.averaged).emplace();
    } else if (key == "model" || key == "loss") {
        words >> text;
        if (key == "model")
            into.model.type = text;
        else
            into.loss = kLosses.at(text);
    } else {
        std::getline(words, text);
        if (key == "params")
            into.model.params = Json::parse(text);
        else if (key == "rows")
            readRows(Json::parse(text), into);
        else
            throw std::invalid_argument("an unknown key");
    }
}

bool isNumber(const std::string& word)
{
    return !word.empty() && word.find_first_not_of("0123456789.e+-") == std::string::npos;
}

float signedNumber(Random& random)
{
    return 2 * random.uniform() - 1; // both without rounding
}

} // namespace

Result<std::vector<TrainingCase>> readTrainingCases(const std::string& path)
{
    std::ifstream file(path);
    if (!file) return makeError(Code::NotFound, str("There is no file ", printable(path), "."));
    std::vector<TrainingCase> cases;
    std::string line, key;
    for (int number = 1; std::getline(file, line); ++number) {
        if (line.empty() || line[0] == '#' || line == "losses") continue;
        if (line[0] == '[') {
            cases.emplace_back().title = line.substr(1, line.size() - 2);
            cases.back().model.id = "net";
            cases.back().settings.threads = 1;
            continue;
        }
        std::istringstream words(line);
        words >> key;
        try {
            if (isNumber(key)) {
                words.seekg(0);
                for (double loss = 0; words >> loss;) cases.back().losses.push_back(loss);
            } else {
                readLine(key, words, cases.back());
            }
        } catch (const std::exception& problem) {
            return makeError(Code::InvalidFormat, str(path, ":", number, ": ", problem.what()));
        }
    }
    return cases;
}

void fillWeights(execute::Weights& weights)
{
    for (auto& tensor : weights.namedParameters()) {
        Random random(kWeightsSeed, streamOf(tensor.name));
        const bool matrix = tensor.shape.rank() > 1;
        const std::int64_t fanIn = matrix ? tensor.shape.elements() / tensor.shape[0] : 64;
        const auto bound = static_cast<float>(1 / std::sqrt(static_cast<double>(fanIn)));
        const float offset = tensor.name.ends_with(".scale") ? 1.0F : 0.0F;
        for (float& value : tensor.values) value = offset + signedNumber(random) * bound;
    }
}

FormulaRows::FormulaRows(const TrainingCase& training) : m_training(training)
{
    if (training.schema.vocabulary > 0) return;
    const std::size_t size = static_cast<std::size_t>(training.schema.features.elements());
    m_patterns.resize(training.schema.classes.size() * size);
    Random random(kRowsSeed, streamOf("pattern"));
    for (float& value : m_patterns) value = signedNumber(random) * training.signal;
}

void FormulaRows::draw(std::int64_t step)
{
    if (m_training.batches > 0) step %= m_training.batches;
    if (m_training.schema.vocabulary > 0) {
        drawTokens(step);
    } else {
        drawNumbers(step);
        if (m_training.loss != compile::Loss::CrossEntropy) drawTargets(step);
    }
    m_whole = part(0, m_training.batch);
}

void FormulaRows::drawTokens(std::int64_t step)
{
    const std::int64_t context = m_training.schema.features[0];
    const auto vocabulary = static_cast<std::uint32_t>(m_training.schema.vocabulary);
    Random random(kRowsSeed, streamOf(str("batch/", step)));
    m_tokens.clear();
    m_labels.clear();
    for (std::int64_t row = 0; row < m_training.batch; ++row) {
        std::uint32_t token = 0;
        for (std::int64_t t = 0; t <= context; ++t) {
            const std::uint32_t any = random.bits32() % vocabulary;
            const bool follows = random.bits32() % 4 > 0 && t > 0;
            token = follows ? (5 * token + 2) % vocabulary : any;
            if (t < context) m_tokens.push_back(static_cast<std::int32_t>(token));
            if (t > 0) m_labels.push_back(static_cast<std::int32_t>(token));
        }
    }
}

void FormulaRows::drawNumbers(std::int64_t step)
{
    const std::size_t size = static_cast<std::size_t>(m_training.schema.features.elements());
    Random random(kRowsSeed, streamOf(str("batch/", step)));
    m_features.clear();
    m_labels.clear();
    for (std::int64_t row = 0; row < m_training.batch; ++row) {
        const std::size_t label = random.bits32() % m_training.schema.classes.size();
        m_labels.push_back(static_cast<std::int32_t>(label));
        for (std::size_t i = 0; i < size; ++i)
            m_features.push_back(signedNumber(random) + m_patterns[label * size + i]);
    }
}

void FormulaRows::drawTargets(std::int64_t step)
{
    m_labels.clear();
    m_targets.clear();
    if (m_training.loss == compile::Loss::KullbackLeibler) {
        Random random(kRowsSeed, streamOf(str("teacher/", step)));
        m_targets.resize(static_cast<std::size_t>(m_training.batch) * m_training.schema.classes.size());
        for (float& value : m_targets) value = signedNumber(random) * 4;
        return;
    }
    const std::size_t size = static_cast<std::size_t>(m_training.schema.features.elements());
    for (std::size_t i = 0; i < m_features.size(); i += size) {
        const float a = m_features[i], b = m_features[i + 1];
        m_targets.push_back(m_training.loss == compile::Loss::BinaryCrossEntropy ? (a > b ? 1.0F : 0.0F) : a - b);
    }
}

train::MicroBatch FormulaRows::part(std::int64_t first, std::int64_t rows) const
{
    const auto cut = [&]<class T>(const std::vector<T>& values) {
        const std::size_t each = values.size() / static_cast<std::size_t>(m_training.batch);
        return std::span<const T>(values).subspan(static_cast<std::size_t>(first) * each,
                                                  static_cast<std::size_t>(rows) * each);
    };
    train::MicroBatch batch{rows,          cut(m_features), cut(m_tokens),
                            cut(m_labels), cut(m_targets),  static_cast<double>(rows)};
    const auto& weights = m_training.options.classWeights;
    if (weights.empty()) return batch;
    batch.weight = 0;
    for (const std::int32_t label : batch.labels)
        batch.weight += static_cast<double>(weights[static_cast<std::size_t>(label)]);
    return batch;
}

Status FormulaRows::begin()
{
    m_taken = 0;
    return {};
}

Result<const train::MicroBatch*> FormulaRows::next()
{
    if (m_taken == m_training.batch) return nullptr;
    const std::int64_t rows = m_training.batch / m_training.settings.accumulation;
    m_part = part(m_taken, rows);
    m_taken += rows;
    return &m_part;
}

} // namespace millrace::oracle
