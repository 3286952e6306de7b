// The two halves of the catalogue: what is drawn on the canvas, and what is drawn inside a `model.layers` node.
#pragma once

#include "engine/pipeline/catalogue.h"

#include <vector>

namespace millrace::pipeline {

std::vector<NodeSpec> nodeTypes();
std::vector<NodeSpec> layerTypes();

/// Families of nodeTypes(), a file each.
std::vector<NodeSpec> modelTypes();
std::vector<NodeSpec> trainingTypes();
std::vector<NodeSpec> mediaTypes();
std::vector<NodeSpec> dataTypes();

/// A node type without ports and parameters.
NodeSpec nodeType(std::string type, std::string title, std::string category, std::string help);
PortSpec rowsPort(std::string id, std::string title, bool required = true);
PortSpec tokensPort(std::string id, std::string title, bool required = true);
PortSpec modelPort();
PortSpec metricsPort();

/// Parameter specifications in one line each; the text parameters are id, title and help.
ParamSpec integerParam(std::string id, std::string title, std::string help, Json defaultValue, double minimum,
                       double maximum, std::string unit = {});
ParamSpec numberParam(std::string id, std::string title, std::string help, Json defaultValue, double minimum,
                      double maximum, std::string unit = {});
ParamSpec booleanParam(std::string id, std::string title, std::string help, bool defaultValue);
ParamSpec choiceParam(std::string id, std::string title, std::string help, std::vector<std::string> choices,
                      std::string defaultValue);
ParamSpec textParam(std::string id, std::string title, std::string help, Json defaultValue);
ParamSpec pathParam(std::string id, std::string title, std::string help);
ParamSpec integerListParam(std::string id, std::string title, std::string help, Json defaultValue, double minimum,
                           double maximum, std::string unit = {});
ParamSpec seedParam(std::string help);
ParamSpec advanced(ParamSpec spec);

} // namespace millrace::pipeline
