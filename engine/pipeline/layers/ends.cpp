// Where a model begins and ends.
#include "engine/pipeline/layers/layers.h"

namespace millrace::pipeline::layers {

std::vector<Row> ends()
{
    Row input{layerType("layer.input", "Input", "In and out",
                        "The features of a row: an image, a line of a table, or a sequence of tokens. Each model has "
                        "one.")};
    input.spec.inputs.clear();
    Row output{layerType("layer.output", "Output", "In and out",
                         "What the model answers: one value for each class (the softmax is part of training and of "
                         "prediction, not of the model), one number, or at each position of a text one value for each "
                         "token. Each model has one.")};
    output.spec.outputs.clear();
    return {std::move(input), std::move(output)};
}

} // namespace millrace::pipeline::layers
