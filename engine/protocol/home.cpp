#include "engine/protocol/home.h"

#include "engine/protocol/run_id.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

#include <cstdlib>

namespace millrace::protocol {

namespace {
std::string environment(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}
} // namespace

Result<Home> Home::fromEnvironment()
{
    if (const auto own = environment("MILLRACE_HOME"); !own.empty()) return Home{absolutePath(own)};
    // the XDG rules: a relative path there is to be ignored
    if (const auto data = environment("XDG_DATA_HOME"); data.starts_with('/'))
        return Home{absolutePath(joinPath(data, "millrace"))};
    if (const auto user = environment("HOME"); !user.empty())
        return Home{absolutePath(joinPath(user, ".local/share/millrace"))};
    return makeError(Code::InvalidArgument, "There is no folder for Millrace's data: neither MILLRACE_HOME, "
                                            "XDG_DATA_HOME nor HOME is set.")
        .advise("Set MILLRACE_HOME to a folder that you can write to.");
}

Status Home::create() const
{
    MR_CHECK(makeDirectories(path));
    MR_CHECK(makeDirectories(runs()));
    MR_CHECK(makeDirectories(artifacts()));
    return makeDirectories(cache());
}

Result<RunFolder> Home::run(std::string_view id) const
{
    if (!isRunId(id))
        return makeError(Code::InvalidArgument, str("\"", printable(id), "\" is no run id."))
            .advise("`millrace runs list` shows the ids.");
    return RunFolder{str(runs(), "/", id)};
}

} // namespace millrace::protocol
