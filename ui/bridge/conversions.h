// From the database's records to the values that the window shows.
#pragma once

#include "storage/records.h"
#include "ui/bridge/values.h"

namespace millrace::ui {

/// A parameter's value as people read it: text as it is, a nested graph as its number of layers and a short hash.
QString parameterText(const nlohmann::json& value);
std::vector<Parameter> parametersOf(const std::vector<storage::Parameter>& parameters);
std::vector<Metric> metricsOf(const std::map<std::string, double>& metrics);
RunSummary summaryOf(const storage::Run& run, std::vector<Parameter> parameters);
StageRow stageOf(const storage::Stage& stage);
/// The last confusion matrix among the artifacts, if there is a whole one.
std::optional<Confusion> confusionOf(const std::vector<storage::Artifact>& artifacts);
ModelVersionRow versionOf(const storage::ModelVersion& version);

} // namespace millrace::ui
