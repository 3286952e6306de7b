#include "engine/protocol/resources.h"

#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <cstdlib>
#include <filesystem>

namespace millrace::protocol {

Result<std::string> findResourceDirectory()
{
    if (const char* chosen = std::getenv("MILLRACE_RESOURCES"); chosen != nullptr && *chosen != '\0') {
        if (exists(chosen)) return absolutePath(chosen);
        return makeError(Code::NotFound,
                         str("MILLRACE_RESOURCES names \"", printable(chosen), "\", which is not there."));
    }
    std::error_code code;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", code);
    const std::string beside = absolutePath((program.parent_path() / "../share/millrace").string());
    if (!code && exists(beside)) return beside;
    return makeError(Code::NotFound, str("The files that come with Millrace are not in \"", printable(beside), "\"."))
        .advise("Set MILLRACE_RESOURCES to the folder that holds data/ and templates/.");
}

} // namespace millrace::protocol
