// Paths in a pipeline file are untrusted text: what they mean, and whether they stay in the file's folder.
#pragma once

#include "engine/pipeline/catalogue.h"
#include "engine/pipeline/document.h"
#include "kernels/base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace millrace::data {

struct PathReference
{
    std::string resolved;      ///< absolute
    bool leavesFolder = false; ///< absolute, or outside the pipeline's folder by ".." or a symbolic link
};

/// What the path of a pipeline file refers to. Relative paths start at baseDirectory. A path that leaves the folder is
/// resolved and flagged: the command line opens what its user runs, the window asks once per project.
/// Errors: InvalidArgument for an empty path, a NUL byte, UNC (\\host\share, //host/share) and URLs (file://…).
Result<PathReference> classifyPath(std::string_view path, const std::string& baseDirectory);

struct ExternalReference
{
    std::string node, parameter, path, resolved;
};

/// Every path parameter of the document that leaves the pipeline's folder.
std::vector<ExternalReference> externalReferences(const pipeline::Document& document,
                                                  const pipeline::Catalogue& catalogue,
                                                  const std::string& baseDirectory);

} // namespace millrace::data
