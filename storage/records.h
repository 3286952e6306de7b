// What the tracking database answers with: plain values, free to cross threads.
#pragma once

#include "engine/protocol/event.h"
#include "engine/protocol/job.h"
#include "engine/protocol/progress.h"
#include "engine/protocol/run_state.h"
#include "kernels/base/result.h"

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace millrace::storage {

/// What is known of a run before its first event.
struct NewRun
{
    std::string id;
    std::string name; ///< "-2", "-3", … is appended where another run has it
    std::string pipelineName;
    std::string pipelineText;
    std::string experiment; ///< the group it is listed under; the pipeline's name unless given
    std::string target = "local";
    std::string device = "cpu";
    std::string folder; ///< absolute
    std::int64_t createdMs = 0;
};
/// The run of a job in that folder; its creation time from the id, else now.
NewRun describe(const protocol::Job& job, const std::string& folder);

struct Run
{
    std::string id, name, pipelineName, experiment;
    protocol::RunState state = protocol::RunState::Queued;
    std::optional<Error> cause; ///< of failed, or why it stopped
    std::int64_t createdMs = 0; ///< Unix milliseconds; 0: not yet
    std::int64_t startedMs = 0;
    std::int64_t endedMs = 0;
    double seconds = 0; ///< worked so far, by the monotonic clock, resumes included
    std::string target, device, folder;
    std::int64_t lastSeq = 0;        ///< the last event stored
    std::uint64_t journalOffset = 0; ///< where to read the journal on; after the event `journalSeq`
    std::int64_t journalSeq = 0;
    std::map<std::string, double> metrics; ///< last values; only where RunQuery::metrics asked for them
};

enum class RunOrder
{
    Created,
    Name,
    Pipeline,
    State,
    Seconds
};

struct RunQuery
{
    std::string text; ///< part of name, id, pipeline or experiment; case of ASCII letters is ignored
    std::string experiment;
    std::optional<protocol::RunState> state;
    RunOrder order = RunOrder::Created;
    bool descending = true;
    std::size_t limit = 0; ///< 0: all
    bool metrics = false;  ///< fill Run::metrics too
};

struct Parameter
{
    std::string node, name;
    nlohmann::json value;
};

struct SeriesInfo
{
    std::string name; ///< "train.loss"; "fit2/train.loss" where another stage of the run has that name already
    std::string stage;
    std::size_t points = 0;
    std::int64_t lastStep = 0;
    double lastValue = 0; ///< NaN is a value
};

struct Point
{
    std::int64_t step = 0;
    std::int64_t timeMs = 0;
    double value = 0;
    bool operator==(const Point&) const = default;
};

struct Stage
{
    std::string id, type;
    std::string state; ///< waiting | running | finished | cached | failed | skipped
    std::optional<double> seconds;
    protocol::Progress progress;
    nlohmann::json facts; ///< what the stage says about itself (rows, shapes, …); null where it said nothing
};

struct Artifact
{
    std::int64_t seq = 0;
    std::int64_t timeMs = 0;
    std::string stage, role;
    std::string path; ///< absolute; empty where the event named no file
    std::string sha256;
    std::int64_t bytes = 0;
    nlohmann::json fields; ///< the whole event: classes, counts, metrics
};

struct Checkpoint
{
    std::int64_t seq = 0;
    std::int64_t timeMs = 0;
    std::string stage;
    std::int64_t step = 0, epoch = 0;
    std::string path; ///< absolute
    std::string sha256;
    std::int64_t bytes = 0;
};

struct LogLine
{
    std::int64_t seq = 0;
    std::int64_t timeMs = 0;
    std::string level, stage, text;
};

struct TelemetrySample
{
    std::int64_t timeMs = 0;
    double cpuPercent = 0, processCpuPercent = 0;
    std::int64_t memoryBytes = 0, hostMemoryUsedBytes = 0, hostMemoryBytes = 0;
    nlohmann::json devices = nlohmann::json::array();
};

struct ModelVersion
{
    std::string model;
    std::int64_t version = 0; ///< from 1
    std::string sha256;
    std::string path; ///< absolute
    std::string run;  ///< id of the run that made these bytes first
    std::string runName, stage;
    std::int64_t createdMs = 0;
    std::int64_t bytes = 0;
    std::vector<std::string> aliases;
    std::vector<std::string> classes;
    std::map<std::string, double> metrics;
};

struct Model
{
    std::string name;
    std::size_t versions = 0;
    ModelVersion latest;
};

/// The events of one run, in order, and where in its journal the last of them ended.
struct RunEvents
{
    std::string run;
    std::vector<protocol::Event> events;
    std::uint64_t journalOffset = 0;
};

} // namespace millrace::storage
