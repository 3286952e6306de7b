// A trained model with its whole path from raw row to answer: graph, input schema, fitted preprocessing, classes,
// weights.
//
// As a folder: model.safetensors (everything) and model.json (the description for people and programs, with the hash of
// the weights). As one file: the .safetensors alone, which carries the description in its metadata.
#pragma once

#include "engine/data/dataset.h"
#include "engine/formats/safetensors.h"
#include "engine/pipeline/document.h"

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace millrace::formats {

/// Weights are kept in f32, whatever the precision of training.
struct ModelTensor
{
    std::string name;
    Shape shape;
    std::vector<float> values;
};

struct Model
{
    pipeline::Json layers;                             ///< the nested graph of layers, as in the pipeline file
    pipeline::RowsSchema schema;                       ///< of the rows it was trained on; class names are in it
    data::Preprocessing preprocessing;                 ///< from raw rows to what the layers are fed
    nlohmann::json metrics = nlohmann::json::object(); ///< name → value; no times, run ids or paths
    double targetOffset = 0, targetFactor = 1;         ///< a number's target = offset + factor × the layers' output
    std::vector<ModelTensor> tensors;                  ///< parameters and states by name
};

struct SavedModel
{
    std::string weightsPath, descriptionPath;
    std::string sha256; ///< of model.safetensors
    std::uint64_t sizeBytes = 0;
};

struct LoadedModel
{
    Model model;
    std::string sha256;
    std::vector<std::string> warnings; ///< "Tensor conv1.weight holds values that are no numbers."
};

/// The bytes of the single file: equal models give equal bytes.
Result<std::string> modelToSafetensors(const Model& model);
Result<Model> modelFromSafetensors(const Safetensors& file, const std::string& fileName);
/// The readable description, without weights.
pipeline::Json describe(const Model& model);

/// Writes model.safetensors, then model.json, each replaced durably.
Result<SavedModel> saveModel(const Model& model, const std::string& folder);
/// From a folder (the weights' hash is checked) or a single file. Errors: NotFound, Corrupt, InvalidFormat,
/// NewerFormat.
Result<LoadedModel> loadModel(const std::string& path);

} // namespace millrace::formats
