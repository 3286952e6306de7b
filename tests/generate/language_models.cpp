#include "tests/generate/language_models.h"

#include "engine/data/tokenizer.h"
#include "engine/pipeline/model_builder.h"

#include <algorithm>
#include <stdexcept>

namespace millrace::tests {

namespace {

template <class T> T checked(Result<T> result)
{
    if (!result) throw std::runtime_error(result.error().toString());
    return std::move(result).value();
}

struct Running
{
    std::shared_ptr<execute::Weights> weights;
    std::unique_ptr<execute::Executor> executor;
};

Running start(const formats::Model& model, std::int64_t steps)
{
    const auto layers = checked(pipeline::layersFromJson(model.layers));
    auto graph = checked(pipeline::buildModel(layers, catalogue(), pipeline::windowsOf(model.schema, steps), 1));
    auto program = checked(compile::plan(std::move(graph), compile::Mode::Inference));
    Running running;
    running.weights = checked(execute::Weights::create(program, 7));
    running.executor = checked(execute::Executor::create(std::move(program), running.weights, 1));
    return running;
}

formats::ModelTensor& tensor(formats::Model& model, const std::string& name)
{
    for (auto& candidate : model.tensors)
        if (candidate.name == name) return candidate;
    throw std::runtime_error("no tensor " + name);
}

} // namespace

const pipeline::Catalogue& catalogue()
{
    static const pipeline::Catalogue catalogue = pipeline::Catalogue::create();
    return catalogue;
}

formats::Model modelOfLayers(const std::string& layers, std::int64_t vocabulary, std::int64_t context)
{
    formats::Model model;
    model.layers = pipeline::Json::parse(layers);
    model.schema.vocabulary = vocabulary;
    model.schema = pipeline::windowsOf(model.schema, context);
    Running running = start(model, context);
    for (const auto& named : running.weights->namedParameters())
        model.tensors.push_back({named.name, named.shape, {named.values.begin(), named.values.end()}});
    return model;
}

formats::Model languageModel(const std::string& type, const std::string& params, std::int64_t vocabulary,
                             std::int64_t context)
{
    pipeline::Node node;
    node.id = "net";
    node.type = type;
    node.params = pipeline::Json::parse(params);
    pipeline::RowsSchema schema;
    schema.vocabulary = vocabulary;
    schema = pipeline::windowsOf(schema, context);
    const auto layers = checked(pipeline::expandModel(node, catalogue(), schema));
    return modelOfLayers(pipeline::layersToJson(layers).dump(), vocabulary, context);
}

formats::Model reciter(const std::string& text)
{
    formats::Model model = modelOfLayers(R"({"nodes": [{"id": "in", "type": "layer.input"},
        {"id": "table", "type": "layer.embedding", "params": {"width": 256}},
        {"id": "answer", "type": "layer.dense", "params": {"bias": false}}, {"id": "out", "type": "layer.output"}],
        "links": [["in.out", "table.in"], ["table.out", "answer.in"], ["answer.out", "out.in"]]})",
                                         256, 8);
    auto& table = tensor(model, "table.weight").values;
    auto& answer = tensor(model, "answer.weight").values;
    std::fill(table.begin(), table.end(), 0.0f);
    std::fill(answer.begin(), answer.end(), 0.0f);
    for (std::size_t i = 0; i < text.size(); ++i) {
        const std::size_t byte = static_cast<unsigned char>(text[i]);
        const std::size_t next = static_cast<unsigned char>(text[(i + 1) % text.size()]);
        table[256 * byte + byte] = 1;
        answer[256 * next + byte] = 20;
    }
    model.preprocessing.steps.push_back(data::Tokenizer::bytes().toJson());
    return model;
}

std::vector<float> wholeLogits(const formats::Model& model, const std::vector<std::int32_t>& tokens)
{
    Running running = start(model, static_cast<std::int64_t>(tokens.size()));
    for (const auto& named : running.weights->namedParameters())
        for (const auto& stored : model.tensors)
            if (stored.name == named.name) std::copy(stored.values.begin(), stored.values.end(), named.values.begin());
    const auto features = checked(running.executor->integers("features"));
    std::copy(tokens.begin(), tokens.end(), features.begin());
    if (!running.executor->run(0, 0)) throw std::runtime_error("the model does not run");
    const auto output = checked(running.executor->floats("output"));
    return {output.begin(), output.end()};
}

} // namespace millrace::tests
