#include "engine/pipeline/schema.h"

#include "kernels/base/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace millrace::pipeline {

namespace {
constexpr std::array<std::pair<TargetKind, std::string_view>, 4> kTargetNames{{{TargetKind::None, "none"},
                                                                               {TargetKind::Classes, "classes"},
                                                                               {TargetKind::Number, "number"},
                                                                               {TargetKind::NextToken, "next_token"}}};

std::string_view targetName(TargetKind kind)
{
    for (const auto& [value, text] : kTargetNames)
        if (value == kind) return text;
    return "none";
}

Result<TargetKind> targetKind(const std::string& text)
{
    for (const auto& [value, known] : kTargetNames)
        if (known == text) return value;
    return makeError(Code::InvalidFormat, str("The schema's target kind is '", printable(text),
                                              "'; none, classes, number or next_token was expected."));
}

Result<RowsSchema> read(const nlohmann::json& json)
{
    const auto dimensions = json.at("features").get<std::vector<std::int64_t>>();
    RowsSchema schema;
    MR_TRY(schema.features, Shape::create(dimensions));
    MR_TRY(schema.target, targetKind(json.at("target").at("kind").get<std::string>()));
    schema.targetName = json.at("target").value("name", std::string());
    schema.classes = json.at("target").value("classes", std::vector<std::string>());
    schema.rows = json.value("rows", std::int64_t{-1});
    schema.image = json.value("image", false);
    schema.vocabulary = json.value("vocabulary", std::int64_t{0});
    for (const auto& column : json.value("columns", nlohmann::json::array()))
        schema.columns.push_back(
            {column.at("name").get<std::string>(), column.value("minimum", 0.0), column.value("maximum", 0.0)});
    if (schema.image && schema.features.rank() != 3)
        return makeError(Code::InvalidFormat,
                         str("The schema says that rows are images, but their shape is ", schema.features.toString(),
                             "; height, width and channels were expected."));
    if (schema.vocabulary < 0 || (schema.vocabulary > 0 && schema.features.rank() != 1))
        return makeError(Code::InvalidFormat,
                         str("The schema has a vocabulary of ", schema.vocabulary, " for rows of the shape ",
                             schema.features.toString(), "; a positive number and a sequence were expected."));
    if (schema.target == TargetKind::NextToken && schema.vocabulary == 0)
        return makeError(Code::InvalidFormat, "The schema's target is the next token, but it has no vocabulary.");
    return schema;
}
} // namespace

std::int64_t answersPerRow(const RowsSchema& schema)
{
    if (schema.target == TargetKind::Classes) return static_cast<std::int64_t>(schema.classes.size());
    if (schema.target == TargetKind::NextToken) return schema.vocabulary;
    return schema.target == TargetKind::Number ? 1 : 0;
}

std::int64_t trainRows(std::int64_t rows, double fraction)
{
    const auto rounded = static_cast<std::int64_t>(std::llround(static_cast<double>(rows) * fraction));
    return std::max<std::int64_t>(std::min(std::max<std::int64_t>(rounded, 1), rows - 1), 0);
}

RowsSchema windowsOf(const RowsSchema& tokens, std::int64_t context)
{
    RowsSchema windows = tokens;
    windows.features = Shape{context};
    windows.target = TargetKind::NextToken;
    return windows;
}

nlohmann::json toJson(const RowsSchema& schema)
{
    nlohmann::json json;
    const auto dimensions = schema.features.dimensions();
    json["features"] = std::vector<std::int64_t>(dimensions.begin(), dimensions.end());
    json["rows"] = schema.rows;
    json["image"] = schema.image;
    if (schema.vocabulary > 0) json["vocabulary"] = schema.vocabulary;
    json["target"] = {{"kind", targetName(schema.target)}, {"name", schema.targetName}, {"classes", schema.classes}};
    json["columns"] = nlohmann::json::array();
    for (const Column& column : schema.columns)
        json["columns"].push_back({{"name", column.name}, {"minimum", column.minimum}, {"maximum", column.maximum}});
    return json;
}

Result<RowsSchema> rowsSchemaFromJson(const nlohmann::json& json)
{
    try {
        return read(json);
    } catch (const nlohmann::json::exception& exception) {
        return makeError(Code::InvalidFormat, str("The schema of the rows cannot be read: ", exception.what()));
    }
}

} // namespace millrace::pipeline
