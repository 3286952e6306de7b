// A pipeline file as the command line takes it: read, with its settings applied, checked.
#pragma once

#include "engine/data/data.h"
#include "engine/pipeline/check.h"

#include <string>
#include <vector>

namespace millrace::cli {

struct PipelineFile
{
    pipeline::Document document;
    data::Folders folders;
    pipeline::CheckReport report;
};

/// Errors: those of reading and parsing the file, and of the settings ("node.param=value").
Result<PipelineFile> openPipeline(const std::string& path, const std::vector<std::string>& settings,
                                  const pipeline::Catalogue& catalogue);

/// Says every problem on standard error, one a line.
void printProblems(const pipeline::CheckReport& report, const std::string& path);

} // namespace millrace::cli
