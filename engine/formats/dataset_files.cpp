#include "engine/formats/dataset_files.h"

#include "engine/data/stored_rows.h"
#include "engine/formats/safetensors.h"
#include "kernels/base/files.h"
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

Result<nlohmann::json> readDescription(const std::string& text)
{
    auto json = nlohmann::json::parse(text, nullptr, false);
    if (!json.is_object()) return makeError(Code::InvalidFormat, "The stored rows' description is no JSON object.");
    return json;
}

/// Which rows of the shards are chosen, a bit each; empty for all.
std::string toBits(const std::vector<bool>& chosen)
{
    std::string bytes((chosen.size() + 7) / 8, '\0');
    for (std::size_t i = 0; i < chosen.size(); ++i)
        if (chosen[i]) bytes[i / 8] = static_cast<char>(static_cast<unsigned char>(bytes[i / 8]) | 1U << i % 8);
    return bytes;
}

Result<std::vector<bool>> fromBits(const std::string& bytes, std::int64_t rows)
{
    std::vector<bool> chosen;
    if (bytes.empty()) return chosen;
    const auto count = static_cast<std::size_t>(rows);
    if (bytes.size() != (count + 7) / 8)
        return makeError(Code::InvalidFormat, "The choice of stored rows is not as long as there are rows.");
    chosen.resize(count);
    for (std::size_t i = 0; i < count; ++i) chosen[i] = (static_cast<unsigned char>(bytes[i / 8]) >> i % 8 & 1U) != 0;
    return chosen;
}

/// Rows on disk stay there: the entry says where, which of them, and by their hash whether they are still the same.
Result<std::map<std::string, std::string>> storedToFiles(const data::Dataset& rows, const std::string& prefix)
{
    nlohmann::json description = data::describe(rows);
    description["stored"] = {{"path", absolutePath(rows.stored->shards()->path())},
                             {"content", rows.stored->shards()->contentHash()}};
    std::map<std::string, std::string> files;
    files[prefix + ".json"] = description.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    files[prefix + ".chosen"] = toBits(rows.stored->chosen());
    return files;
}

Result<data::Dataset> storedFromFiles(const nlohmann::json& description, const std::string& chosenBits)
{
    MR_TRY(data::Dataset rows, data::fromDescription(description));
    const nlohmann::json& stored = description["stored"];
    if (!stored.is_object()) return makeError(Code::InvalidFormat, "It is not said where the stored rows are.");
    const auto path = stored.value("path", nlohmann::json()), content = stored.value("content", nlohmann::json());
    if (!path.is_string()) return makeError(Code::InvalidFormat, "It is not said where the stored rows are.");
    MR_TRY(auto shards, data::ShardSet::open(path.get<std::string>()));
    if (content != shards->contentHash())
        return makeError(Code::NotFound, "Where the stored rows were, there are others now.").atFile(shards->path());
    MR_TRY(auto chosen, fromBits(chosenBits, shards->rows()));
    rows.stored = std::make_shared<const data::StoredRows>(std::move(shards), std::move(chosen));
    if (rows.stored->rows() != rows.schema.rows)
        return makeError(Code::InvalidFormat, "The stored rows are not as many as were described.");
    return rows;
}

Shape featuresShape(const data::Dataset& rows)
{
    // rows and features as a matrix: a row's shape may already have the most dimensions that a tensor can
    return Shape{rows.rows(), rows.schema.features.elements()};
}
} // namespace

Result<std::map<std::string, std::string>> toFiles(const data::Dataset& rows, const std::string& prefix)
{
    if (rows.stored) return storedToFiles(rows, prefix);
    const std::int64_t count = rows.rows();
    std::vector<TensorView> tensors;
    tensors.push_back(tensorView<float>("features", DType::F32, featuresShape(rows), rows.features));
    if (rows.schema.target == pipeline::TargetKind::Classes)
        tensors.push_back(tensorView<std::int32_t>("labels", DType::I32, Shape{count}, rows.labels));
    if (rows.schema.target == pipeline::TargetKind::Number)
        tensors.push_back(tensorView<float>("targets", DType::F32, Shape{count}, rows.targets));

    std::map<std::string, std::string> files;
    MR_TRY(files[prefix + ".safetensors"], writeSafetensors(tensors));
    files[prefix + ".json"] = data::describe(rows).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return files;
}

Result<data::Dataset> datasetFromFiles(const std::map<std::string, std::string>& files, const std::string& prefix)
{
    MR_TRY(const std::string* description, fileOf(files, prefix + ".json"));
    MR_TRY(const nlohmann::json json, readDescription(*description));
    if (json.contains("stored")) {
        MR_TRY(const std::string* chosen, fileOf(files, prefix + ".chosen"));
        return storedFromFiles(json, *chosen);
    }
    MR_TRY(const std::string* bytes, fileOf(files, prefix + ".safetensors"));
    MR_TRY(data::Dataset rows, data::fromDescription(json));
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
