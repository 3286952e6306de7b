// Stage results in the cache: what a stage gave and what it said, so that an unchanged stage is not run again and its
// metrics still stand in the run.
#pragma once

#include "engine/formats/stage_cache.h"
#include "engine/run/stage.h"

#include <optional>
#include <string>

namespace millrace::run {

/// What a stage said, from the run's journal: [[name, step, value], …] and the fields of its artifact events.
struct StageSayings
{
    nlohmann::json points = nlohmann::json::array();
    nlohmann::json artifacts = nlohmann::json::array();
};
/// A point said twice (after a resume) counts once. Errors: those of JournalReader.
Result<StageSayings> sayingsOf(const std::string& journal, const std::string& stage);

/// The last value of every metric of the run so far: {name: value}.
Result<nlohmann::json> lastMetricsOf(const std::string& journal);

Status storeResult(const formats::StageCache& cache, const std::string& key, const StageResult& result,
                   const StageSayings& sayings);

struct CachedResult
{
    StageResult result;
    StageSayings sayings;
};
/// Nothing where the cache has no such entry, or one that this build cannot read.
std::optional<CachedResult> loadResult(const formats::StageCache& cache, const std::string& key,
                                       const pipeline::Node& node, const pipeline::NodeSpec& spec);

} // namespace millrace::run
