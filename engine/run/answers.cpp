#include "engine/run/answers.h"

#include "engine/data/data.h"
#include "engine/data/encode.h"
#include "engine/execute/cuda_module.h"
#include "engine/formats/model_file.h"
#include "engine/generate/generator.h"
#include "engine/pipeline/catalogue.h"
#include "engine/protocol/event.h"
#include "engine/protocol/resources.h"
#include "engine/run/gpu.h"
#include "engine/run/request_lines.h"
#include "engine/run/workloads.h"
#include "engine/telemetry/nvml.h"
#include "engine/train/evaluator.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <istream>
#include <map>
#include <memory>
#include <ostream>

namespace millrace::run {

using nlohmann::json;

namespace {

constexpr std::size_t kRequestBytes = 64u << 20;

struct LoadedModel
{
    std::string sha256;
    formats::Model model;                           ///< without the tensors' values: they are copied into one of these
    std::unique_ptr<train::Evaluator> evaluator;    ///< of a model of rows
    std::unique_ptr<generate::Generator> generator; ///< of a model of text
};

/// A part of an answer that comes before it.
using Partly = std::function<void(json)>;

class Answerer
{
public:
    Result<json> answer(const json& request, const Partly& partly, const std::stop_token& stop);

private:
    Result<json> inspect(const json& question);
    Result<json> predict(const json& question);
    Result<json> describe(const json& question);
    Result<json> bench(const json& question);
    Result<json> devices();
    Result<json> generate(const json& question, const Partly& partly, const std::stop_token& stop);
    /// A model of text on that device, one of rows always on the CPU.
    Result<LoadedModel*> modelAt(const std::string& path, const std::string& device = "cpu");
    /// Null for the CPU.
    Result<std::shared_ptr<kernels::Device>> deviceFor(const std::string& device);

    pipeline::Catalogue m_catalogue = pipeline::Catalogue::create();
    std::map<std::string, std::unique_ptr<Gpu>> m_gpus;                  // by the name that was given
    std::map<std::pair<std::string, std::string>, LoadedModel> m_models; // by path and device
};

Result<json> Answerer::answer(const json& request, const Partly& partly, const std::stop_token& stop)
{
    if (const auto question = request.find("inspect"); question != request.end()) return inspect(*question);
    if (const auto question = request.find("predict"); question != request.end()) return predict(*question);
    if (const auto question = request.find("describe"); question != request.end()) return describe(*question);
    if (const auto question = request.find("bench"); question != request.end()) return bench(*question);
    if (request.contains("devices")) return devices();
    if (const auto question = request.find("generate"); question != request.end())
        return generate(*question, partly, stop);
    return makeError(Code::InvalidFormat,
                     "The request asks for none of inspect, predict, describe, generate, bench and devices.");
}

Result<json> Answerer::inspect(const json& question)
{
    pipeline::Node node;
    node.id = question.value("node", "data");
    node.type = question.value("type", "");
    node.params = pipeline::Json::parse(question.value("params", json::object()).dump());
    const pipeline::NodeSpec* spec = m_catalogue.find(node.type);
    if (spec == nullptr)
        return makeError(Code::NotFound, str("There is no node type \"", printable(node.type), "\"."))
            .advise(didYouMean(node.type, m_catalogue.typeNames()));
    MR_TRY(const std::string resources, protocol::findResourceDirectory());
    MR_TRY(const auto schema, data::inspect(node, *spec, {question.value("base", ""), resources}));
    return json{{"schema", pipeline::toJson(schema)}};
}

Result<std::shared_ptr<kernels::Device>> Answerer::deviceFor(const std::string& device)
{
    auto& gpu = m_gpus[device];
    if (!gpu) {
        MR_TRY(gpu, Gpu::open(device, {}, {}));
    }
    return gpu ? gpu->device() : nullptr;
}

Result<LoadedModel*> Answerer::modelAt(const std::string& path, const std::string& device)
{
    const auto known = m_models.find({path, device});
    if (known != m_models.end()) return &known->second;
    MR_TRY(formats::LoadedModel loaded, formats::loadModel(path));
    LoadedModel model;
    model.sha256 = loaded.sha256;
    if (loaded.model.schema.vocabulary > 0) {
        MR_TRY(auto onDevice, deviceFor(device));
        MR_TRY(auto generator, generate::Generator::create(loaded.model, m_catalogue, {.device = std::move(onDevice)}));
        model.generator = std::make_unique<generate::Generator>(std::move(generator));
    } else {
        MR_TRY(auto evaluator, train::Evaluator::create(loaded.model, m_catalogue, {.threads = 1}));
        model.evaluator = std::make_unique<train::Evaluator>(std::move(evaluator));
    }
    model.model = std::move(loaded.model);
    for (formats::ModelTensor& tensor : model.model.tensors) tensor.values = {};
    return &(m_models[{path, device}] = std::move(model));
}

// The row's features as the model is fed, from whichever form the question gives it in.
Result<std::vector<float>> featuresOf(const json& question, const formats::Model& model)
{
    if (const auto row = question.find("row"); row != question.end())
        return data::encodeLine(model.schema, model.preprocessing, row->get<std::string>());
    if (const auto values = question.find("values"); values != question.end())
        return data::encodeNumbers(model.schema, model.preprocessing, values->get<std::vector<float>>());
    const auto image = question.find("image");
    if (image == question.end())
        return makeError(Code::InvalidFormat, "The question gives none of row, values and image.");
    const Shape& shape = model.schema.features;
    const auto width = image->value("width", std::int64_t{0}), height = image->value("height", std::int64_t{0});
    auto pixels = image->value("pixels", std::vector<float>());
    if (!model.schema.image || shape != Shape({height, width, 1}) ||
        static_cast<std::int64_t>(pixels.size()) != shape.elements())
        return makeError(Code::InvalidArgument, str("The model takes ", shape.toString(), " but the image is ", height,
                                                    "×", width, " with ", pixels.size(), " values."));
    const data::ValueRange range = data::rawRange(model.preprocessing);
    for (float& pixel : pixels) pixel = range.minimum + std::clamp(pixel, 0.0f, 1.0f) * (range.maximum - range.minimum);
    return data::encodeNumbers(model.schema, model.preprocessing, pixels);
}

Result<json> Answerer::predict(const json& question)
{
    MR_TRY(LoadedModel * model, modelAt(question.value("model", "")));
    if (!model->evaluator)
        return makeError(Code::InvalidArgument, "The model is one of text: it answers no rows.")
            .advise("Let it generate text.");
    MR_TRY(const auto features, featuresOf(question, model->model));
    MR_TRY(const auto outputs, model->evaluator->outputs(features, 1));
    if (model->model.schema.target == pipeline::TargetKind::Number)
        return json{{"prediction", {{"value", outputs.at(0)}}}};
    const double largest = *std::max_element(outputs.begin(), outputs.end());
    std::vector<double> probabilities;
    double sum = 0;
    for (const float logit : outputs) sum += probabilities.emplace_back(std::exp(static_cast<double>(logit) - largest));
    for (double& probability : probabilities) probability /= sum;
    return json{{"prediction", {{"classes", model->model.schema.classes}, {"probabilities", probabilities}}}};
}

Result<json> Answerer::describe(const json& question)
{
    MR_TRY(const LoadedModel* loaded, modelAt(question.value("model", "")));
    const formats::Model& model = loaded->model;
    std::int64_t parameters = 0;
    for (const auto& tensor : model.tensors) parameters += tensor.shape.elements();
    return json{{"model",
                 {{"schema", pipeline::toJson(model.schema)},
                  {"classes", model.schema.classes},
                  {"columns", data::rawColumns(model.schema, model.preprocessing)},
                  {"parameters", parameters},
                  {"sha256", loaded->sha256},
                  {"layers", json::parse(model.layers.dump())}}}};
}

Result<json> Answerer::bench(const json& question)
{
    WorkloadOptions options;
    options.seconds = question.value("seconds", options.seconds);
    options.threads = question.value("threads", options.threads);
    options.operations = question.value("operations", options.operations);
    options.device = question.value("device", options.device);
    options.cacheFolder = question.value("cache", options.cacheFolder);
    options.precision = question.value("precision", options.precision);
    options.batch = question.value("batch", options.batch);
    const std::string workload = question.value("workload", "");
    if (workload == "machine") {
        MR_TRY(json machine, measureMachine(options));
        return json{{"bench", std::move(machine)}};
    }
    MR_TRY(json result, runWorkload(workload, options));
    return json{{"bench", std::move(result)}};
}

// Free memory is the driver's to say: asking CUDA would open every GPU.
Result<json> Answerer::devices()
{
    MR_TRY(const auto devices, execute::cudaDevices());
    const auto nvml = telemetry::Nvml::open();
    json list = json::array();
    for (const kernels::DeviceInfo& device : devices) {
        list.push_back({{"uuid", device.uuid},
                        {"name", device.name},
                        {"index", device.index},
                        {"memory_bytes", device.memoryBytes}});
        if (!nvml) continue;
        const json sample = (*nvml)->sample(device.uuid);
        if (sample.contains("memory_bytes"))
            list.back()["free_bytes"] =
                sample.at("memory_bytes").get<std::uint64_t>() - sample.at("memory_used_bytes").get<std::uint64_t>();
    }
    return json{{"devices", std::move(list)}};
}

Result<json> Answerer::generate(const json& question, const Partly& partly, const std::stop_token& stop)
{
    MR_TRY(LoadedModel * model, modelAt(question.value("model", ""), question.value("device", "cpu")));
    if (!model->generator)
        return makeError(Code::InvalidArgument, "The model answers rows, not text.")
            .advise("Only a model that was trained on tokens generates text.");
    generate::GenerateOptions options;
    options.tokens = question.value("tokens", options.tokens);
    options.sample.temperature = question.value("temperature", options.sample.temperature);
    options.sample.topK = question.value("top_k", options.sample.topK);
    options.sample.topP = question.value("top_p", options.sample.topP);
    options.sample.seed = question.value("seed", options.sample.seed);
    const auto give = [&](std::string_view piece) { partly({{"text", piece}}); };
    MR_TRY(const generate::Generated done,
           model->generator->generate(question.value("prompt", ""), options, give, stop));
    return json{{"generated",
                 {{"prompt_tokens", done.promptTokens},
                  {"prompt_seconds", done.promptSeconds},
                  {"tokens", done.tokens},
                  {"seconds", done.seconds},
                  {"stopped", done.stopped}}}};
}

} // namespace

void answerRequests(std::istream& requests, std::ostream& answers)
{
    Answerer answerer;
    RequestLines lines(requests);
    std::string line;
    const auto write = [&](const json& answer) {
        if (!answers) return lines.stop(); // nobody hears it
        answers << answer.dump(-1, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
    };
    while (lines.next(line)) {
        json answer = json::object();
        try {
            if (line.size() > kRequestBytes) throw std::length_error("the request is longer than 64 MB");
            const json request = json::parse(line);
            const std::int64_t id = request.value("id", std::int64_t{0});
            const auto partly = [&](json part) {
                part["id"] = id;
                part["more"] = true;
                write(part);
            };
            if (auto result = answerer.answer(request, partly, lines.begin(id)))
                answer = std::move(*result);
            else
                answer["error"] = protocol::errorToJson(result.error());
            answer["id"] = id;
        } catch (const std::exception& exception) {
            answer = {{"error", protocol::errorToJson(makeError(
                                    Code::InvalidFormat, str("The request cannot be read: ", exception.what())))}};
        }
        write(answer);
    }
}

} // namespace millrace::run
