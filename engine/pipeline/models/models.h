// The families of models of which one node is a whole network, a file each. A row holds what the catalogue says of the
// node and how it becomes layers; whoever opens it on the canvas gets those layers and may change them.
// Only model_types.cpp, model_builder.cpp and the families include this.
#pragma once

#include "engine/pipeline/models/layer_graph.h"
#include "engine/pipeline/node_types.h"
#include "engine/pipeline/schema.h"
#include "engine/pipeline/values.h"
#include "kernels/base/text.h"

namespace millrace::pipeline::models {

/// What a family can read.
enum class Reads
{
    Numbers,
    Images,
    Tokens,
    Anything
};

struct Row
{
    NodeSpec spec;
    Reads reads = Reads::Numbers;
    /// The layers for rows of that schema (rank 0: not known yet). Layer ids, and with them the weights' names and
    /// initial values, depend on the parameters and on what kind of rows there are, on nothing else.
    Document (*expand)(const Values&, const RowsSchema&) = nullptr;
};

Row mlp();
Row lenet();
Row resnet();
Row mobilenet();
Row lstm();
Row gpt();

/// All of them, in the catalogue's order.
const std::vector<Row>& rows();
/// Null where there is none of that type.
const Row* findRow(std::string_view type);
/// Errors: InvalidArgument saying what the model reads and what the rows are.
Status checkReads(const Row& row, const RowsSchema& schema);

/// A specification with one model as its output.
NodeSpec modelType(std::string type, std::string title, std::string help, std::string formula, std::string source);
ParamSpec dropoutParam(double value, std::string help);
/// auto, small, imagenet: what an image network begins with.
ParamSpec stemParam();
bool hasSmallStem(const Values& values, const RowsSchema& schema);

} // namespace millrace::pipeline::models
