#include "engine/data/path_reference.h"

#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <algorithm>
#include <cctype>

namespace millrace::data {

namespace {
/// "https://…" and the like: letters, digits, + - . up to "://"; "file:" also without the slashes.
bool hasScheme(std::string_view path)
{
    if (path.starts_with("file:")) return true;
    const auto colon = path.find(':');
    if (colon == std::string_view::npos || !path.substr(colon).starts_with("://")) return false;
    return std::all_of(path.begin(), path.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '+' || c == '-' || c == '.';
    });
}

bool isInside(const std::string& path, const std::string& folder)
{
    return path == folder || path.starts_with(folder.ends_with('/') ? folder : folder + "/");
}

Error refuse(std::string_view path, std::string_view why)
{
    return makeError(Code::InvalidArgument, str("The path \"", printable(path), "\" ", why, "."))
        .advise("Give a file on this computer, relative to the pipeline file.");
}
} // namespace

Result<PathReference> classifyPath(std::string_view path, const std::string& baseDirectory)
{
    if (trimmed(path).empty()) return makeError(Code::InvalidArgument, "No file is given.").advise("Choose a file.");
    if (path.find('\0') != std::string_view::npos) return refuse(path, "holds a NUL byte");
    // opening such a path would hand the user's credentials to the host that it names
    if (path.starts_with("\\\\") || path.starts_with("//")) return refuse(path, "names another computer (a UNC path)");
    if (hasScheme(path)) return refuse(path, "is a URL");

    const std::string base = absolutePath(baseDirectory.empty() ? "." : baseDirectory);
    PathReference reference;
    reference.resolved = absolutePath(joinPath(base, path));
    reference.leavesFolder = path.starts_with('/') || !isInside(reference.resolved, base);
    return reference;
}

std::vector<ExternalReference> externalReferences(const pipeline::Document& document,
                                                  const pipeline::Catalogue& catalogue,
                                                  const std::string& baseDirectory)
{
    std::vector<ExternalReference> references;
    for (const pipeline::Node& node : document.nodes) {
        const pipeline::NodeSpec* spec = catalogue.find(node.type);
        if (spec == nullptr) continue;
        for (const pipeline::ParamSpec& param : spec->params) {
            if (param.kind != pipeline::ParamKind::Path) continue;
            const auto value = pipeline::paramValue(node, *spec, param.id);
            if (!value.is_string()) continue;
            const auto path = value.get<std::string>();
            // a path that cannot be opened at all is an error of the check, not a question to the user
            if (const auto found = classifyPath(path, baseDirectory); found && found->leavesFolder)
                references.push_back({node.id, param.id, path, found->resolved});
        }
    }
    return references;
}

} // namespace millrace::data
