#include "engine/formats/token_files.h"

#include "engine/data/tokenizer.h"
#include "engine/formats/safetensors.h"
#include "kernels/base/text.h"

#include <algorithm>

namespace millrace::formats {

namespace {
Result<data::TokenSet> readDescription(const std::string& text)
{
    try {
        const auto json = nlohmann::json::parse(text);
        data::TokenSet tokens;
        MR_TRY(tokens.schema, pipeline::rowsSchemaFromJson(json.at("schema")));
        tokens.tokenizer = json.at("tokenizer");
        tokens.notes = json.at("notes").get<std::vector<std::string>>();
        return tokens;
    } catch (const nlohmann::json::exception& exception) {
        return makeError(Code::InvalidFormat, str("The stored tokens' description cannot be read: ", exception.what()));
    }
}
} // namespace

Result<std::map<std::string, std::string>> toFiles(const data::TokenSet& tokens, const std::string& prefix)
{
    const Shape shape{static_cast<std::int64_t>(tokens.ids.size())};
    const std::vector<TensorView> tensors{tensorView<std::int32_t>("ids", DType::I32, shape, tokens.ids)};
    std::map<std::string, std::string> files;
    MR_TRY(files[prefix + ".safetensors"], writeSafetensors(tensors));
    const nlohmann::json description = {
        {"schema", pipeline::toJson(tokens.schema)}, {"tokenizer", tokens.tokenizer}, {"notes", tokens.notes}};
    files[prefix + ".json"] = description.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    return files;
}

Result<data::TokenSet> tokensFromFiles(const std::map<std::string, std::string>& files, const std::string& prefix)
{
    const auto description = files.find(prefix + ".json"), bytes = files.find(prefix + ".safetensors");
    if (description == files.end() || bytes == files.end())
        return makeError(Code::NotFound, str("The stored tokens of \"", prefix, "\" are not complete."));
    MR_TRY(data::TokenSet tokens, readDescription(description->second));
    MR_TRY(const Safetensors tensors, Safetensors::parse(bytes->second, bytes->first));
    MR_TRY(tokens.ids, tensors.elements<std::int32_t>("ids", DType::I32, Shape{tokens.schema.rows}));
    MR_TRY(const data::Tokenizer tokenizer, data::Tokenizer::fromJson(tokens.tokenizer));
    const auto isToken = [&](std::int32_t id) { return id >= 0 && id < tokens.schema.vocabulary; };
    if (tokenizer.vocabulary() != tokens.schema.vocabulary ||
        !std::all_of(tokens.ids.begin(), tokens.ids.end(), isToken))
        return makeError(Code::InvalidFormat, "The stored tokens do not fit their tokenizer.");
    return tokens;
}

} // namespace millrace::formats
