#include "app/cli/pipeline_file.h"

#include "engine/protocol/resources.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <cstdio>

namespace millrace::cli {

Result<PipelineFile> openPipeline(const std::string& path, const std::vector<std::string>& settings,
                                  const pipeline::Catalogue& catalogue)
{
    PipelineFile file;
    MR_TRY(const std::string text, readFile(path, pipeline::Limits::kFileBytes));
    MR_TRY(file.document, pipeline::parseDocument(text, path));
    if (file.document.readOnly)
        return makeError(Code::NewerFormat, str("The file's format is \"", printable(file.document.format),
                                                "\"; this version runs millrace/1."))
            .atFile(path)
            .advise("Run it with a newer Millrace.");
    for (const std::string& setting : settings) MR_CHECK(pipeline::applySetting(file.document, setting));
    MR_TRY(file.folders.resources, protocol::findResourceDirectory());
    file.folders.base = parentPath(absolutePath(path));
    file.report = pipeline::check(file.document, catalogue, [&](const auto& node, const auto& spec) {
        return data::inspect(node, spec, file.folders);
    });
    return file;
}

void printProblems(const pipeline::CheckReport& report, const std::string& path)
{
    for (const pipeline::Problem& problem : report.problems)
        std::fprintf(stderr, "%s: %s: %s\n", printable(path).c_str(),
                     problem.severity == pipeline::Severity::Error ? "error" : "warning",
                     printable(problem.error.toString()).c_str());
}

} // namespace millrace::cli
