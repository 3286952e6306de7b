// Runs and events for the tests of storage.
#pragma once

#include "engine/protocol/home.h"
#include "engine/protocol/job.h"
#include "engine/protocol/journal.h"
#include "storage/tracking_database.h"

#include <array>
#include <string>
#include <vector>

namespace millrace::storage::samples {

constexpr std::int64_t kCreatedMs = 1'760'000'000'000;
constexpr const char* kPipeline = R"({"format": "millrace/1", "name": "Sample", "nodes": [], "links": []})";

inline NewRun newRun(const std::string& id, const std::string& folder = "/nowhere")
{
    NewRun run;
    run.id = id;
    run.name = "name-" + id;
    run.pipelineName = "Sample";
    run.pipelineText = kPipeline;
    run.folder = folder;
    run.createdMs = kCreatedMs;
    return run;
}

inline protocol::Event said(std::int64_t seq, std::string kind, nlohmann::json fields)
{
    return {seq, kCreatedMs + seq * 10, seq * 10, std::move(kind), std::move(fields)};
}

inline protocol::Event state(std::int64_t seq, const char* name)
{
    return said(seq, "state", {{"state", name}});
}

/// One point of train.loss.
inline protocol::Event loss(std::int64_t seq, std::int64_t step, double value)
{
    return said(seq, "metric",
                {{"stage", "fit"},
                 {"points",
                  nlohmann::json::array({nlohmann::json::array({"train.loss", step, protocol::metricValue(value)})})}});
}

inline protocol::Event model(std::int64_t seq, const char* name, const char* sha256, const char* alias = "")
{
    return said(seq, "artifact",
                {{"stage", "fit"},
                 {"role", "model"},
                 {"path", "artifacts/model.safetensors"},
                 {"sha256", sha256},
                 {"bytes", 1234},
                 {"name", name},
                 {"alias", alias},
                 {"classes", {"cat", "dog"}},
                 {"metrics", {{"test.accuracy", 0.9}}}});
}

/// Version 1, and a step to a version 2 that takes long enough to be killed in its middle.
inline std::array<Migration, 2> twoVersions()
{
    return {schema().front(), Migration{2, R"sql(
CREATE TABLE numbers(n INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
INSERT INTO numbers WITH RECURSIVE count(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM count WHERE n < 100000)
    SELECT n, 'number ' || n FROM count;
ALTER TABLE runs ADD COLUMN rank_count INTEGER NOT NULL DEFAULT 1;
)sql"}};
}

} // namespace millrace::storage::samples
