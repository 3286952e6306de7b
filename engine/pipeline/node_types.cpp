#include "engine/pipeline/node_types.h"

namespace millrace::pipeline {

namespace {
constexpr double kMaximumSeed = 9007199254740991.0; // 2^53 - 1: what JSON readers everywhere keep exactly

PortSpec rows(std::string id, std::string title, bool required = true)
{
    return {std::move(id), std::move(title), PortType::Rows, required};
}
PortSpec model()
{
    return {"model", "Model", PortType::Model, true};
}
PortSpec metrics()
{
    return {"metrics", "Metrics", PortType::Metrics, true};
}
ParamSpec seedParam(std::string help)
{
    return integerParam("seed", "Seed", std::move(help), 7, 0, kMaximumSeed);
}

NodeSpec node(std::string type, std::string title, std::string category, std::string help)
{
    NodeSpec spec;
    spec.type = std::move(type);
    spec.title = std::move(title);
    spec.category = std::move(category);
    spec.help = std::move(help);
    return spec;
}

NodeSpec builtinData()
{
    NodeSpec spec =
        node("data.builtin", "Built-in set", "Data", "Rows of a small real data set that comes with Millrace.");
    spec.source = "digits: E. Alpaydin, C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
                  "Repository, 1998, CC BY 4.0.";
    spec.outputs = {rows("rows", "Rows")};
    spec.params = {choiceParam("name", "Data set", "digits: 1,797 handwritten digits of 8×8 pixels in 10 classes.",
                               {"digits"}, "digits")};
    return spec;
}

NodeSpec csvData()
{
    NodeSpec spec =
        node("data.csv", "CSV table", "Data",
             "Rows of a table in a CSV file, with or without a header line: numbers and categories as features and "
             "one target column. "
             "A target of text or of few whole numbers makes classes, any other a number to predict.");
    spec.source = "RFC 4180.";
    spec.outputs = {rows("rows", "Rows")};
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
    NodeSpec spec = node("data.idx", "IDX images", "Data",
                         "Images and labels in the two IDX files in which MNIST and its relatives are published, "
                         "plain or compressed with gzip.");
    spec.source = "Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits, 1998.";
    spec.outputs = {rows("rows", "Rows")};
    spec.params = {
        pathParam("images", "Images", "The IDX file of the images, relative to the pipeline file."),
        pathParam("labels", "Labels", "The IDX file of the labels, relative to the pipeline file."),
    };
    return spec;
}

NodeSpec split()
{
    NodeSpec spec = node("data.split", "Split", "Prepare",
                         "Divides the rows at random into a part to train on and a part held out to test on.");
    spec.formula = "train has round(rows · fraction) rows, test has the others";
    spec.inputs = {rows("rows", "Rows")};
    spec.outputs = {rows("train", "Train"), rows("test", "Test")};
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
    NodeSpec spec = node("data.standardize", "Standardize", "Prepare",
                         "Shifts and scales each column to mean 0 and deviation 1 (an image as a whole). Mean and "
                         "deviation are taken from the training rows alone and travel with the model.");
    spec.formula = "y = (x − mean) / deviation";
    spec.inputs = {rows("train", "Train"), rows("test", "Test", false)};
    spec.outputs = {rows("train", "Train"), rows("test", "Test")};
    return spec;
}

// What a new Layers node starts with: the smallest network that learns something.
Json startLayers()
{
    return Json::parse(R"({
        "nodes": [
            {"id": "input", "type": "layer.input", "at": [0, 0]},
            {"id": "flatten", "type": "layer.flatten", "at": [0, 120]},
            {"id": "hidden", "type": "layer.dense", "at": [0, 240], "params": {"units": 64}},
            {"id": "relu", "type": "layer.relu", "at": [0, 360]},
            {"id": "answer", "type": "layer.dense", "at": [0, 480]},
            {"id": "output", "type": "layer.output", "at": [0, 600]}
        ],
        "links": [["input.out", "flatten.in"], ["flatten.out", "hidden.in"], ["hidden.out", "relu.in"],
                  ["relu.out", "answer.in"], ["answer.out", "output.in"]]
    })");
}

NodeSpec layersModel()
{
    NodeSpec spec =
        node("model.layers", "Layers", "Model", "A network drawn layer by layer. Open the node to edit its layers.");
    spec.outputs = {model()};
    ParamSpec layers;
    layers.id = "layers";
    layers.title = "Layers";
    layers.help = "The graph of layers, from one layer.input to one layer.output.";
    layers.kind = ParamKind::Layers;
    layers.defaultValue = startLayers();
    spec.params = {layers};
    return spec;
}

NodeSpec mlpModel()
{
    NodeSpec spec = node("model.mlp", "MLP", "Model",
                         "A multi-layer perceptron: dense layers one after the other, each followed by the activation "
                         "and by dropout, then one output a class (or one number).");
    spec.formula = "h = dropout(activation(W·x + b)) for each hidden layer; output = W·h + b";
    spec.outputs = {model()};
    spec.params = {
        integerListParam("hidden", "Hidden layers", "Units of each hidden layer; none gives a linear model.",
                         Json::array({128}), 1, 16384, "units"),
        choiceParam("activation", "Activation", "What each hidden layer applies to its outputs.",
                    {"relu", "gelu", "tanh", "sigmoid"}, "relu"),
        numberParam("dropout", "Dropout", "Fraction of the hidden outputs that is set to zero while training; 0: none.",
                    0.0, 0, 0.95),
    };
    return spec;
}

std::vector<ParamSpec> trainingParams()
{
    return {
        integerParam("epochs", "Epochs", "How often training goes through all training rows.", 10, 1, 10000, "epochs"),
        integerParam("batch_size", "Batch size", "How many rows one step of the optimizer looks at.", 32, 1, 65536,
                     "rows"),
        choiceParam("optimizer", "Optimizer",
                    "adamw: Adam with decoupled weight decay, a good first choice. adam: weight decay as part of the "
                    "gradient. sgd: plain steps with momentum.",
                    {"adamw", "adam", "sgd"}, "adamw"),
        numberParam("learning_rate", "Learning rate", "Size of the optimizer's steps, before the schedule.", 0.001,
                    1e-8, 10),
        numberParam("weight_decay", "Weight decay", "How strongly weights are pulled towards zero; 0: not at all.",
                    0.01, 0, 10),
        choiceParam("schedule", "Schedule",
                    "How the learning rate changes: constant; step: times the step factor every few epochs; cosine: "
                    "falls to zero along half a cosine.",
                    {"constant", "step", "cosine"}, "cosine"),
        numberParam("warmup", "Warm-up", "The learning rate rises linearly from zero for so long.", 0, 0, 10000,
                    "epochs"),
        seedParam("Decides initial weights, order of the rows and dropout; the same seed gives the same bits."),
        integerParam("early_stopping", "Early stopping",
                     "Stops when the validation loss has not fallen for so many epochs; 0: never.", 0, 0, 10000,
                     "epochs"),
        advanced(numberParam("momentum", "Momentum", "Part of the last step that SGD keeps; for sgd alone.", 0.9, 0,
                             0.9999)),
        advanced(integerParam("step_epochs", "Step length", "Epochs between two steps of the step schedule.", 10, 1,
                              10000, "epochs")),
        advanced(numberParam("step_factor", "Step factor", "What the step schedule multiplies the rate with.", 0.1,
                             1e-6, 1)),
        advanced(numberParam("clip_norm", "Clip gradients",
                             "The longest gradient (Euclidean norm over all weights) that is let through; 0: any.", 0,
                             0, 1e6)),
    };
}

NodeSpec supervised()
{
    NodeSpec spec =
        node("train.supervised", "Train", "Train",
             "Fits the model to the training rows, epoch by epoch, and measures it on the validation rows.");
    spec.formula = "minimises cross-entropy for classes, the mean squared error for a number";
    spec.source = "Kingma, Ba 2015, arXiv:1412.6980 (Adam); Loshchilov, Hutter 2019, arXiv:1711.05101 (AdamW); "
                  "Loshchilov, Hutter 2017, arXiv:1608.03983 (cosine schedule).";
    spec.inputs = {rows("train", "Train"), rows("validation", "Validation", false), model()};
    spec.outputs = {model(), metrics()};
    spec.params = trainingParams();
    return spec;
}

NodeSpec evaluate()
{
    NodeSpec spec = node("evaluate.model", "Evaluate", "Result",
                         "Measures a trained model on rows: accuracy, confusion matrix, precision, recall and F1 of "
                         "each class; for a number RMSE, MAE and R².");
    spec.inputs = {model(), rows("rows", "Rows")};
    spec.outputs = {metrics()};
    return spec;
}

NodeSpec registerModel()
{
    NodeSpec spec = node("model.register", "Register", "Result",
                         "Keeps the trained model as the next version of a name, with its input schema, preprocessing "
                         "and classes.");
    spec.inputs = {model()};
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
    return {builtinData(), csvData(),  idxData(),    split(),    standardize(),
            layersModel(), mlpModel(), supervised(), evaluate(), registerModel()};
}

} // namespace millrace::pipeline
