// The nodes that read texts and images.
#include "engine/pipeline/node_types.h"

namespace millrace::pipeline {

namespace {
ParamSpec when(ParamSpec spec, std::string param, std::vector<std::string> values)
{
    spec.appliesWhen = AppliesWhen{std::move(param), std::move(values)};
    return spec;
}

NodeSpec textData()
{
    NodeSpec spec = nodeType("data.text", "Text", "Data",
                             "A text file as a sequence of tokens, for a language model to learn what comes next. The "
                             "tokenizer travels with the model.");
    spec.source = "Sennrich, Haddow, Birch 2016, arXiv:1508.07909 (BPE); Radford et al. 2019, Language models are "
                  "unsupervised multitask learners (byte-level BPE).";
    spec.outputs = {tokensPort("tokens", "Tokens")};
    spec.params = {
        pathParam("path", "File",
                  "The text file (UTF-8, or UTF-16 with a byte order mark), relative to the pipeline "
                  "file."),
        choiceParam("tokenizer", "Tokenizer",
                    "byte: each byte is a token. char: each different character of the text. bpe: pieces of words, "
                    "made from this text by joining the bytes that occur together most often. gpt2: pieces of words "
                    "from the files vocab.json and merges.txt.",
                    {"byte", "char", "bpe", "gpt2"}, "char"),
        when(integerParam("vocabulary", "Vocabulary", "Tokens that bpe makes, of which 256 are the bytes.", 1024, 256,
                          65536, "tokens"),
             "tokenizer", {"bpe"}),
        when(pathParam("vocab", "Vocabulary file", "GPT-2's vocab.json (encoder.json): tokens and their numbers."),
             "tokenizer", {"gpt2"}),
        when(pathParam("merges", "Merges file", "GPT-2's merges.txt (vocab.bpe): which tokens are joined, in order."),
             "tokenizer", {"gpt2"}),
    };
    return spec;
}

NodeSpec imageFolderData()
{
    NodeSpec spec = nodeType("data.image_folder", "Image folder", "Data",
                             "PNG and JPEG images in a folder that has one sub-folder for each class, all stretched to "
                             "one size. What is transparent lies on white, photographs are turned upright.");
    spec.outputs = {rowsPort("rows", "Rows")};
    ParamSpec path = pathParam("path", "Folder",
                               "The folder with one sub-folder for each class, relative to the "
                               "pipeline file.");
    path.isFolder = true;
    spec.params = {
        std::move(path),
        integerParam("height", "Height", "Rows of pixels of each image.", 32, 1, 1024, "pixels"),
        integerParam("width", "Width", "Columns of pixels of each image.", 32, 1, 1024, "pixels"),
        choiceParam("mode", "Mode", "colour: red, green and blue. grey: brightness alone.", {"colour", "grey"},
                    "colour"),
        advanced(numberParam("bad", "Bad images",
                             "How many images may be left out because they cannot be read; with more, reading stops.",
                             1, 0, 100, "%")),
    };
    return spec;
}

NodeSpec augment()
{
    NodeSpec spec = nodeType("data.augment", "Augment", "Prepare",
                             "Images that training sees a little different each time. The rows stay as they are, and "
                             "only training changes them: validation and test see them unchanged.");
    spec.formula = "mix-up: x = λ·a + (1 − λ)·b with λ ~ Beta(α, α); the class is that of a with probability λ";
    spec.source = "DeVries, Taylor 2017, arXiv:1708.04552 (cut-out); Zhang et al. 2018, arXiv:1710.09412 (mix-up).";
    spec.inputs = {rowsPort("rows", "Rows")};
    spec.outputs = {rowsPort("rows", "Rows")};
    spec.params = {
        integerParam("crop", "Crop",
                     "Shifts by up to so many pixels each way, as a crop of the image with that border; "
                     "0: not at all.",
                     4, 0, 512, "pixels"),
        booleanParam("flip", "Flip", "Exchanges left and right in every second image; not for letters and digits.",
                     true),
        numberParam("rotate", "Rotate", "Turns by up to so many degrees either way.", 0, 0, 180, "°"),
        numberParam("brightness", "Brightness", "Distance from black times 1 − b to 1 + b.", 0, 0, 1),
        numberParam("contrast", "Contrast", "Distance from the image's mean times 1 − c to 1 + c.", 0, 0, 1),
        numberParam("noise", "Noise", "Deviation of normal noise, as a part of the range from black to white.", 0, 0,
                    1),
        integerParam("cut_out", "Cut-out", "Side of a square that becomes black at a random place; 0: none.", 0, 0,
                     1024, "pixels"),
        numberParam("mix_up", "Mix-up", "Alpha of the blending of two images and their targets; 0: none.", 0, 0, 1),
    };
    spec.cacheable = false; // the rows themselves stay as they are
    return spec;
}
} // namespace

std::vector<NodeSpec> mediaTypes()
{
    return {textData(), imageFolderData(), augment()};
}

} // namespace millrace::pipeline
