#include "engine/formats/model_file.h"

#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"

namespace millrace::formats {

namespace {
constexpr std::string_view kFormat = "millrace-model/1";
constexpr std::string_view kMetadataKey = "millrace.model";
constexpr std::string_view kWeightsName = "model.safetensors";
constexpr std::string_view kDescriptionName = "model.json";
constexpr std::uint64_t kDescriptionLimitBytes = 100u << 20;
constexpr int kDepth = 64;

std::string text(const pipeline::Json& json, int indent)
{
    return json.dump(indent, ' ', false, pipeline::Json::error_handler_t::replace);
}

std::vector<TensorView> viewsOf(const Model& model)
{
    std::vector<TensorView> views;
    for (const ModelTensor& tensor : model.tensors)
        views.push_back(tensorView<float>(tensor.name, DType::F32, tensor.shape, tensor.values));
    return views;
}

/// JSON of a bounded depth, so that whoever walks it needs a bounded stack.
Result<pipeline::Json> parseDescription(const std::string& content, const std::string& fileName)
{
    bool tooDeep = false;
    const auto keep = [&](int depth, pipeline::Json::parse_event_t, pipeline::Json&) {
        tooDeep = tooDeep || depth > kDepth;
        return !tooDeep;
    };
    auto json = pipeline::Json::parse(content, keep, false);
    if (tooDeep || json.is_discarded())
        return makeError(Code::InvalidFormat, tooDeep
                                                  ? str("The model's description is nested deeper than ", kDepth, ".")
                                                  : "The model's description is no valid JSON.")
            .atFile(fileName);
    return json;
}

/// What the description says; the tensors come from the file that it describes.
Result<Model> readDescription(const pipeline::Json& json)
{
    try {
        const std::string format = json.at("format");
        if (format != kFormat)
            return makeError(Code::NewerFormat, str("The model has the format \"", printable(format),
                                                    "\"; this Millrace reads \"", kFormat, "\"."))
                .advise("Open it with a newer Millrace.");
        Model model;
        model.layers = json.at("layers");
        MR_TRY(model.schema, pipeline::rowsSchemaFromJson(nlohmann::json(json.at("input"))));
        model.preprocessing.steps = nlohmann::json(json.at("preprocessing"));
        model.metrics = nlohmann::json(json.at("metrics"));
        model.targetOffset = json.at("target").at("offset");
        model.targetFactor = json.at("target").at("factor");
        return model;
    } catch (const nlohmann::json::exception& exception) {
        return makeError(Code::InvalidFormat, str("The model's description cannot be read: ", exception.what()));
    }
}

Result<LoadedModel> loadFile(const std::string& path)
{
    MR_TRY(const Safetensors file, Safetensors::read(path));
    LoadedModel loaded;
    MR_TRY(loaded.model, modelFromSafetensors(file, path));
    for (const std::string& name : nonFiniteTensors(file.tensors()))
        loaded.warnings.push_back(str("Tensor ", printable(name), " holds values that are no finite numbers."));
    return loaded;
}

/// The hash of the weights that the folder's description states.
Result<std::string> statedHash(const std::string& path)
{
    MR_TRY(const std::string content, readFile(path, kDescriptionLimitBytes));
    MR_TRY(const auto json, parseDescription(content, path));
    try {
        return json.at("weights").at("sha256").get<std::string>();
    } catch (const nlohmann::json::exception& exception) {
        return makeError(Code::InvalidFormat, str("The model's description cannot be read: ", exception.what()))
            .atFile(path);
    }
}
} // namespace

pipeline::Json describe(const Model& model)
{
    std::int64_t parameters = 0;
    auto tensors = pipeline::Json::array();
    for (const ModelTensor& tensor : model.tensors) {
        parameters += tensor.shape.elements();
        tensors.push_back({{"name", tensor.name}, {"shape", tensor.shape.dimensions()}});
    }
    pipeline::Json json;
    json["format"] = kFormat;
    json["layers"] = model.layers;
    json["input"] = pipeline::toJson(model.schema);
    json["preprocessing"] = model.preprocessing.steps;
    json["target"] = {{"offset", model.targetOffset}, {"factor", model.targetFactor}};
    json["metrics"] = model.metrics;
    json["values"] = parameters;
    json["tensors"] = std::move(tensors);
    return json;
}

Result<std::string> modelToSafetensors(const Model& model)
{
    return writeSafetensors(viewsOf(model), {{std::string(kMetadataKey), text(describe(model), -1)}});
}

Result<Model> modelFromSafetensors(const Safetensors& file, const std::string& fileName)
{
    const auto description = file.metadata().find(std::string(kMetadataKey));
    if (description == file.metadata().end())
        return makeError(Code::InvalidFormat, "The file holds tensors, but no description of a model.")
            .atFile(fileName)
            .advise("Only models that Millrace has written can be opened.");
    MR_TRY(const auto json, parseDescription(description->second, fileName));
    auto model = readDescription(json);
    if (!model) return std::move(model).error().atFile(fileName);
    for (const TensorView& tensor : file.tensors()) {
        auto values = file.elements<float>(tensor.name, DType::F32, tensor.shape);
        if (!values) return std::move(values).error().atFile(fileName);
        model->tensors.push_back({tensor.name, tensor.shape, std::move(*values)});
    }
    return model;
}

Result<SavedModel> saveModel(const Model& model, const std::string& folder)
{
    MR_TRY(const std::string weights, modelToSafetensors(model));
    SavedModel saved{joinPath(folder, kWeightsName), joinPath(folder, kDescriptionName), sha256(weights),
                     weights.size()};
    pipeline::Json description = describe(model);
    description["weights"] = {{"file", kWeightsName}, {"bytes", saved.sizeBytes}, {"sha256", saved.sha256}};
    MR_CHECK(makeDirectories(folder));
    MR_CHECK(durableReplace(saved.weightsPath, weights));
    MR_CHECK(durableReplace(saved.descriptionPath, text(description, 2) + "\n"));
    return saved;
}

Result<LoadedModel> loadModel(const std::string& path)
{
    const std::string description = joinPath(path, kDescriptionName);
    const bool isFolder = exists(description);
    const std::string weights = isFolder ? joinPath(path, kWeightsName) : path;
    MR_TRY(const std::string hash, sha256OfFile(weights));
    if (isFolder) {
        MR_TRY(const std::string stated, statedHash(description));
        if (hash != stated)
            return makeError(Code::Corrupt,
                             str("The weights have the SHA-256 ", hash.substr(0, 12),
                                 "…, but their description states ", printable(stated.substr(0, 12)), "…."))
                .atFile(weights)
                .advise("The file was damaged or exchanged; restore it or train again.");
    }
    MR_TRY(LoadedModel loaded, loadFile(weights));
    loaded.sha256 = hash;
    return loaded;
}

} // namespace millrace::formats
