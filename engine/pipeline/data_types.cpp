// The node types that choose, clean and reshape rows, and keep them as shards.
#include "engine/pipeline/node_types.h"

namespace millrace::pipeline {

namespace {
NodeSpec shards()
{
    NodeSpec spec = nodeType("data.shards", "Shards", "Data",
                             "Millrace's own files of rows, indexed and checksummed, read block by block however many "
                             "there are. Rows that are linked to it are written into the folder; without a link the "
                             "rows of the folder are read.");
    spec.inputs = {rowsPort("rows", "Rows", false)};
    spec.outputs = {rowsPort("rows", "Rows")};
    spec.params = {
        pathParam("path", "Folder", "The folder of shards, relative to the pipeline file."),
        advanced(integerParam("shard_size", "Size of a shard", "A new file begins when one has so many bytes.", 1024, 1,
                              65536, "MiB")),
    };
    spec.cacheable = false; // what it writes must be there, whatever was written before
    return spec;
}

NodeSpec sample()
{
    NodeSpec spec = nodeType("data.sample", "Sample", "Prepare",
                             "Takes a part of the rows at random: of all, of each class in proportion, or as many of "
                             "each class.");
    spec.formula = "round(rows · fraction) rows; balanced: round(rows of the smallest class · fraction) of each class";
    spec.source = "Fan, Muller, Rezucha 1962, J. American Statistical Association 57, 387–402 (method 1).";
    spec.inputs = {rowsPort("rows", "Rows")};
    spec.outputs = {rowsPort("rows", "Rows")};
    spec.params = {
        numberParam("fraction", "Part", "Fraction of the rows that is taken.", 0.1, 1e-9, 1),
        choiceParam("method", "Method",
                    "random: any rows; stratified: keeps each class's share; balanced: as many rows of each class.",
                    {"random", "stratified", "balanced"}, "random"),
        seedParam("The same seed always takes the same rows."),
    };
    return spec;
}

NodeSpec clean()
{
    NodeSpec spec =
        nodeType("data.clean", "Clean", "Prepare",
                 "Decides about missing values, duplicates and outliers. What it fits (fills and ranges) "
                 "comes from Rows alone and travels with the model; rows linked to Test are treated alike.");
    spec.formula = "outlier: |x − mean| > range · deviation";
    spec.inputs = {rowsPort("rows", "Rows"), rowsPort("test", "Test", false)};
    spec.outputs = {rowsPort("rows", "Rows"), rowsPort("test", "Test")};
    spec.params = {
        choiceParam("missing", "Missing values",
                    "drop: leaves the row out; the others put the column's mean, median, most frequent value or the "
                    "constant in its place.",
                    {"drop", "mean", "median", "mode", "constant"}, "median"),
        numberParam("constant", "Constant", "What stands for a missing value where it is a constant.", 0, -1e30, 1e30),
        choiceParam("duplicates", "Duplicates", "drop: the first of equal rows stays, and no test row equals another.",
                    {"keep", "drop"}, "keep"),
        choiceParam("outliers", "Outliers", "drop: leaves the row out; clip: moves the value to the end of the range.",
                    {"keep", "drop", "clip"}, "keep"),
        numberParam("range", "Range", "How far from its column's mean a number may be.", 4, 0.1, 1000, "deviations"),
    };
    return spec;
}

NodeSpec encode()
{
    NodeSpec spec = nodeType("data.encode", "Encode", "Prepare",
                             "Decides how texts become numbers: a feature for each text, one feature that counts the "
                             "texts from 1, or one that holds the text's share of the rows; a missing text is 0.");
    spec.formula = "ordinal: 1 … n in alphabetical order; frequency: rows with the text / rows";
    spec.inputs = {rowsPort("rows", "Rows"), rowsPort("test", "Test", false)};
    spec.outputs = {rowsPort("rows", "Rows"), rowsPort("test", "Test")};
    spec.params = {choiceParam("categories", "Categories",
                               "one_hot: as they come from a table; ordinal; frequency: fitted on Rows alone.",
                               {"one_hot", "ordinal", "frequency"}, "one_hot")};
    return spec;
}

NodeSpec scale()
{
    NodeSpec spec = nodeType("data.scale", "Scale", "Prepare",
                             "Shifts and scales each column (an image as a whole) by a method of choice, fitted on the "
                             "training rows alone. The scale travels with the model.");
    spec.formula = "standard: (x − mean) / deviation; min_max: (x − min) / (max − min); robust: (x − median) / (third "
                   "quartile − first quartile)";
    spec.inputs = {rowsPort("train", "Train"), rowsPort("test", "Test", false)};
    spec.outputs = {rowsPort("train", "Train"), rowsPort("test", "Test")};
    spec.params = {choiceParam("method", "Method",
                               "standard: mean 0, deviation 1; min_max: 0 to 1; robust: by median and quartiles, which "
                               "outliers hardly move.",
                               {"standard", "min_max", "robust"}, "standard")};
    return spec;
}
} // namespace

std::vector<NodeSpec> dataTypes()
{
    return {shards(), sample(), clean(), encode(), scale()};
}

} // namespace millrace::pipeline
