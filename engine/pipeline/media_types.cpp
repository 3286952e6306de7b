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
} // namespace

std::vector<NodeSpec> mediaTypes()
{
    return {textData(), imageFolderData()};
}

} // namespace millrace::pipeline
