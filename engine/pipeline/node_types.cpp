#include "engine/pipeline/node_types.h"

namespace millrace::pipeline {

namespace {
NodeSpec builtinData()
{
    NodeSpec spec =
        nodeType("data.builtin", "Built-in set", "Data", "Rows of a small real data set that comes with Millrace.");
    spec.source = "digits: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
                  "Repository, 1998, CC BY 4.0.";
    spec.outputs = {rowsPort("rows", "Rows")};
    spec.params = {choiceParam("name", "Data set", "digits: 1,797 handwritten digits of 8×8 pixels in 10 classes.",
                               {"digits"}, "digits")};
    return spec;
}

NodeSpec csvData()
{
    NodeSpec spec =
        nodeType("data.csv", "CSV table", "Data",
                 "Rows of a table in a CSV file, with or without a header line: numbers and categories as features and "
                 "one target column. "
                 "A target of text or of few whole numbers makes classes, any other a number to predict.");
    spec.source = "RFC 4180.";
    spec.codeVersion = 2; // missing values stay missing
    spec.outputs = {rowsPort("rows", "Rows")};
    spec.params = {
        pathParam("path", "File", "The CSV file, relative to the pipeline file."),
        textParam("target", "Target column", "The column to predict, by name or by number from 1; empty: the last.",
                  ""),
        advanced(choiceParam("delimiter", "Delimiter", "What separates the fields; auto finds it from the first lines.",
                             {"auto", ",", ";", "tab", "|"}, "auto")),
        advanced(textParam("ignore", "Left-out columns",
                           "Columns that are neither features nor target, such as names and numbers of rows, separated "
                           "by commas.",
                           "")),
    };
    return spec;
}

NodeSpec idxData()
{
    NodeSpec spec = nodeType("data.idx", "IDX images", "Data",
                             "Images and labels in the two IDX files in which MNIST and its relatives are published, "
                             "plain or compressed with gzip.");
    spec.source = "Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, 1998.";
    spec.outputs = {rowsPort("rows", "Rows")};
    spec.params = {
        pathParam("images", "Images", "The IDX file of the images, relative to the pipeline file."),
        pathParam("labels", "Labels", "The IDX file of the labels, relative to the pipeline file."),
    };
    return spec;
}

NodeSpec split()
{
    NodeSpec spec = nodeType("data.split", "Split", "Prepare",
                             "Divides the rows at random into a part to train on and a part held out to test on.");
    spec.formula = "train has round(rows · fraction) rows, test has the others";
    spec.inputs = {rowsPort("rows", "Rows")};
    spec.outputs = {rowsPort("train", "Train"), rowsPort("test", "Test")};
    spec.params = {
        numberParam("train", "Training part", "Fraction of the rows that goes to train; the others go to test.", 0.8,
                    0.01, 0.99),
        seedParam("The same seed always gives the same split."),
        booleanParam("stratify", "Stratify", "Keeps the share of each class the same in both parts.", true),
    };
    return spec;
}

NodeSpec standardize()
{
    NodeSpec spec = nodeType("data.standardize", "Standardize", "Prepare",
                             "Shifts and scales each column to mean 0 and deviation 1 (an image as a whole). Mean and "
                             "deviation are taken from the training rows alone and travel with the model.");
    spec.formula = "y = (x − mean) / deviation";
    spec.inputs = {rowsPort("train", "Train"), rowsPort("test", "Test", false)};
    spec.outputs = {rowsPort("train", "Train"), rowsPort("test", "Test")};
    spec.codeVersion = 2; // fills what is missing
    return spec;
}

NodeSpec evaluate()
{
    NodeSpec spec =
        nodeType("evaluate.model", "Evaluate", "Result",
                 "Measures a trained model on rows: accuracy, confusion matrix, precision, recall and F1 of "
                 "each class; for a number RMSE, MAE and R².");
    spec.inputs = {modelPort(), rowsPort("rows", "Rows")};
    spec.outputs = {metricsPort()};
    return spec;
}

NodeSpec registerModel()
{
    NodeSpec spec =
        nodeType("model.register", "Register", "Result",
                 "Keeps the trained model as the next version of a name, with its input schema, preprocessing "
                 "and classes.");
    spec.inputs = {modelPort()};
    spec.outputs = {{"version", "Version", PortType::Version, true}};
    ParamSpec name = textParam("name", "Name", "Name of the model in the registry.", nullptr);
    name.isName = true;
    ParamSpec alias =
        textParam("alias", "Alias", "A name that then points to this version, such as champion; empty: none.", "");
    alias.isName = true;
    spec.params = {name, alias};
    spec.cacheable = false; // it acts on the registry
    return spec;
}
} // namespace

std::vector<NodeSpec> nodeTypes()
{
    std::vector<NodeSpec> all{builtinData(), csvData(), idxData(), split(), standardize()};
    for (auto& family : {dataTypes(), mediaTypes(), modelTypes(), trainingTypes(), std::vector{evaluate(), registerModel()}})
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

} // namespace millrace::pipeline
