#include "engine/run/replacement.h"

#include "kernels/base/text.h"

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>

namespace millrace::run {

namespace {
constexpr const char* kVariable = "MILLRACE_REPLACES"; // the lock's descriptor, then UUIDs, separated by spaces
}

Replacement Replacement::take(const protocol::RunFolder& folder)
{
    const char* given = std::getenv(kVariable);
    if (given == nullptr) return {};
    const std::string text = given;
    ::unsetenv(kVariable);
    const auto words = split(text, ' ');
    const auto descriptor = parseInteger(words.front());
    if (!descriptor || *descriptor < 0) return {};
    auto lock = FileLock::adopt(static_cast<int>(*descriptor), folder.lock());
    if (!lock) return {};
    return {std::move(*lock), {words.begin() + 1, words.end()}};
}

Error replaceProcess(const protocol::RunFolder& folder, const FileLock& lock, const std::vector<std::string>& excluded)
{
    const int descriptor = lock.handle().descriptor();
    std::string text = str(descriptor);
    for (const std::string& uuid : excluded) text += " " + uuid;
    ::setenv(kVariable, text.c_str(), 1);
    std::string program = "millrace-runner", path = folder.path;
    char* arguments[] = {program.data(), path.data(), nullptr};
    if (::fcntl(descriptor, F_SETFD, 0) == 0) ::execv("/proc/self/exe", arguments); // the lock is inherited
    Error error = errnoError("start anew", "/proc/self/exe", errno);
    ::unsetenv(kVariable);
    return error;
}

} // namespace millrace::run
