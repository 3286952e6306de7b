#include "engine/formats/dataset_files.h"

#include "engine/formats/safetensors.h"
#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::formats {

namespace {
Result<const std::string*> fileOf(const std::map<std::string, std::string>& files, const std::string& name)
{
    const auto found = files.find(name);
    if (found == files.end()) return makeError(Code::NotFound, str("The stored rows lack the file \"", name, "\"."));
    return &found->second;
}

Result<data::Dataset> readDescription(const std::string& text)
{
    try {
        const auto json = nlohmann::json::parse(text);
        data::Dataset rows;
        MR_TRY(rows.schema, pipeline::rowsSchemaFromJson(json.at("schema")));
        rows.preprocessing.steps = json.at("preprocessing");
        rows.notes = json.at("notes").get<std::vector<std::string>>();
        return rows;
    } catch (const nlohmann::json::exception& exception) {
        return makeError(Code::InvalidFormat, str("The stored rows' description cannot be read: ", exception.what()));
    }
}

Shape featuresShape(const data::Dataset& rows)
{
    // rows and features as a matrix: a row's shape may already have the most dimensions that a tensor can
    return Shape{rows.rows(), rows.schema.features.elements()};
}
} // namespace

Result<std::map<std::string, std::string>> toFiles(const data::Dataset& rows, const std::string& prefix)
{
    const std::int64_t count = rows.rows();
    std::vector<TensorView> tensors;
    tensors.push_back(tensorView<float>("features", DType::F32, featuresShape(rows), rows.features));
    if (rows.schema.target == pipeline::TargetKind::Classes)
        tensors.push_back(tensorView<std::int32_t>("labels", DType::I32, Shape{count}, rows.labels));
    if (rows.schema.target == pipeline::TargetKind::Number)
        tensors.push_back(tensorView<float>("targets", DType::F32, Shape{count}, rows.targets));

    std::map<std::string, std::string> files;
    MR_TRY(files[prefix + ".safetensors"], writeSafetensors(tensors));
    const nlohmann::json description = {
        {"schema", pipeline::toJson(rows.schema)}, {"preprocessing", rows.preprocessing.steps}, {"notes", rows.notes}};
    files[prefix + ".json"] = description.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return files;
}

Result<data::Dataset> datasetFromFiles(const std::map<std::string, std::string>& files, const std::string& prefix)
{
    MR_TRY(const std::string* description, fileOf(files, prefix + ".json"));
    MR_TRY(const std::string* bytes, fileOf(files, prefix + ".safetensors"));
    MR_TRY(data::Dataset rows, readDescription(*description));
    MR_TRY(const Safetensors tensors, Safetensors::parse(*bytes, prefix + ".safetensors"));
    const Shape shape{rows.schema.rows, rows.schema.features.elements()};
    MR_TRY(rows.features, tensors.elements<float>("features", DType::F32, shape));
    if (rows.schema.target == pipeline::TargetKind::Classes) {
        MR_TRY(rows.labels, tensors.elements<std::int32_t>("labels", DType::I32, Shape{rows.schema.rows}));
        const auto classes = static_cast<std::int32_t>(rows.schema.classes.size());
        if (std::any_of(rows.labels.begin(), rows.labels.end(),
                        [&](auto label) { return label < 0 || label >= classes; }))
            return makeError(Code::InvalidFormat,
                             str("The stored rows hold a label outside their ", classes, " classes."));
    }
    if (rows.schema.target == pipeline::TargetKind::Number) {
        MR_TRY(rows.targets, tensors.elements<float>("targets", DType::F32, Shape{rows.schema.rows}));
    }
    return rows;
}

} // namespace millrace::formats
