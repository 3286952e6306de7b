// A stage: one node of the pipeline when it executes. What flows between stages, and the table of what each type does.
#pragma once

#include "engine/data/data.h"
#include "engine/formats/model_file.h"
#include "engine/pipeline/catalogue.h"
#include "engine/protocol/run_folder.h"
#include "engine/run/stage_events.h"

#include <map>
#include <memory>
#include <stop_token>
#include <string>

namespace millrace::kernels {
class Device;
}

namespace millrace::run {

/// What a port carries; by its type exactly one of these is there (none for metrics and version).
/// The pointers are shared because several stages read one result.
struct Value
{
    std::shared_ptr<const data::Dataset> rows;
    std::shared_ptr<const data::TokenSet> tokens;
    std::shared_ptr<const pipeline::Node> design; ///< a model that is not trained yet: its node
    std::shared_ptr<const formats::Model> model;  ///< a trained model
};
using Values = std::map<std::string, Value>; // by port

struct StageContext
{
    const pipeline::Node& node;
    const pipeline::NodeSpec& spec;
    const pipeline::Catalogue& catalogue;
    Values inputs;
    data::Folders folders;
    protocol::RunFolder folder;
    int threads = 1;
    std::shared_ptr<kernels::Device> device; ///< shared with all that is made on it; null: computes on the CPU
    bool fitMemory = false;                  ///< divide batches further where the GPU's memory does not hold them
    StageEvents& events;
    std::stop_token stop;

    /// The input's value. Errors: InvalidArgument where nothing is linked to it.
    Result<const Value*> input(std::string_view port) const;
};

struct StageResult
{
    Values outputs;
    std::string summary; ///< the stage's result in a few words: "1,797 rows · 10 classes"
};

using StageFunction = Result<StageResult> (*)(StageContext&);
/// Null for a type that this build cannot execute.
StageFunction stageFunction(std::string_view type);

} // namespace millrace::run
