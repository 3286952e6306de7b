#include "engine/pipeline/models/models.h"

#include <algorithm>

namespace millrace::pipeline::models {

const std::vector<Row>& rows()
{
    static const std::vector<Row> all{mlp(), lenet(), resnet(), mobilenet(), lstm(), gpt()};
    return all;
}

const Row* findRow(std::string_view type)
{
    const auto found =
        std::find_if(rows().begin(), rows().end(), [&](const Row& row) { return row.spec.type == type; });
    return found == rows().end() ? nullptr : &*found;
}

Status checkReads(const Row& row, const RowsSchema& schema)
{
    if (schema.features.rank() == 0 || row.reads == Reads::Anything) return {};
    const bool tokens = schema.vocabulary > 0, image = schema.features.rank() == 3;
    if (row.reads == Reads::Tokens ? tokens : !tokens && (image || row.reads == Reads::Numbers)) return {};
    const std::string given = tokens  ? str("tokens of a text")
                              : image ? str("images of ", schema.features.toString())
                                      : str("rows of ", schema.features.toString(), " numbers");
    const auto refuse = [&](std::string_view reads, std::string advice) {
        return makeError(Code::InvalidArgument,
                         str(row.spec.title, " reads ", reads, ", but it is trained on ", given, "."))
            .advise(std::move(advice));
    };
    if (row.reads == Reads::Tokens)
        return refuse("tokens", "Train it on a text with Train language, or take a model of rows such as MLP.");
    if (tokens)
        return refuse(row.reads == Reads::Images ? "images" : "numbers",
                      "Take GPT or LSTM, which read tokens, or Layers that begin with an Embedding.");
    return refuse("images", "Take MLP for tables, or images as rows.");
}

NodeSpec modelType(std::string type, std::string title, std::string help, std::string formula, std::string source)
{
    NodeSpec spec = nodeType(std::move(type), std::move(title), "Model", std::move(help));
    spec.formula = std::move(formula);
    spec.source = std::move(source);
    spec.outputs = {modelPort()};
    return spec;
}

ParamSpec dropoutParam(double value, std::string help)
{
    return numberParam("dropout", "Dropout", std::move(help) + "; 0: none.", value, 0, 0.95);
}

ParamSpec stemParam()
{
    return choiceParam("stem", "Stem",
                       "What it begins with. imagenet: makes the image smaller at once. small: keeps its size, for "
                       "images of 32×32 and their like. auto: small where a side has fewer than 64 pixels.",
                       {"auto", "small", "imagenet"}, "auto");
}

bool hasSmallStem(const Values& values, const RowsSchema& schema)
{
    const std::string stem = values.text("stem");
    if (stem != "auto") return stem == "small";
    constexpr std::int64_t kSmallImage = 64;
    return schema.features.rank() == 3 && std::min(schema.features[0], schema.features[1]) < kSmallImage;
}

} // namespace millrace::pipeline::models
