// model.lstm: recurrent layers over tokens, the lines of an image or the columns of a table.
#include "engine/pipeline/models/models.h"

namespace millrace::pipeline::models {

namespace {
// What each step of the sequence is.
void addSteps(LayerGraph& layers, const Values& values, const RowsSchema& schema)
{
    const Shape& features = schema.features;
    if (schema.vocabulary > 0)
        layers.add("embedding", "layer.embedding", {{"width", values.whole("embedding")}});
    else if (features.rank() == 3)
        layers.add("lines", "layer.reshape", {{"shape", {features[0], features[1] * features[2]}}});
    else if (features.rank() == 1)
        layers.add("columns", "layer.reshape", {{"shape", {features[0], 1}}});
}

Document expandLstm(const Values& values, const RowsSchema& schema)
{
    const std::int64_t count = values.whole("layers");
    const std::string cell = values.text("cell");
    const double dropout = values.number("dropout");
    LayerGraph layers;
    addSteps(layers, values, schema);
    layers.block({});
    for (std::int64_t i = 1; i <= count; ++i) {
        const bool last = i == count && schema.target != TargetKind::NextToken;
        layers.add(str(cell, i), "layer." + cell,
                   {{"units", values.whole("units")}, {"return", last ? "last" : "sequence"}});
        if (dropout > 0) layers.add(str("dropout", i), "layer.dropout", {{"rate", dropout}});
    }
    layers.block({});
    layers.add("answer", "layer.dense");
    return layers.take();
}
} // namespace

Row lstm()
{
    Row row{
        modelType("model.lstm", "LSTM",
                  "Recurrent layers that read a sequence step by step: the tokens of a text, the lines of an image, "
                  "the columns of a table. For rows the last step answers; for a text every step predicts the next "
                  "token.",
                  "h = cell(x, h) for each step and layer; output = W·h + b",
                  "Hochreiter, Schmidhuber 1997, Neural Computation 9; Cho et al. 2014, arXiv:1406.1078."),
        Reads::Anything, expandLstm};
    row.spec.params = {
        integerParam("layers", "Layers", "Recurrent layers, one above the other.", 1, 1, 16, "layers"),
        integerParam("units", "Units", "What each layer remembers at a step.", 128, 1, 8192, "units"),
        choiceParam("cell", "Cell", "lstm: with cells and three gates. gru: lighter, with two gates.", {"lstm", "gru"},
                    "lstm"),
        integerParam("embedding", "Embedding", "Length of a token's vector; for texts alone.", 128, 1, 8192, "numbers"),
        dropoutParam(0.0, "Fraction of each layer's outputs that is set to zero while training"),
    };
    return row;
}

} // namespace millrace::pipeline::models
