#include "engine/protocol/exit_status.h"

#include "kernels/base/text.h"

#include <cstring>
#include <sys/wait.h>

namespace millrace::protocol {

ExitStatus ExitStatus::fromWait(int status)
{
    ExitStatus result;
    if (WIFSIGNALED(status))
        result.signal = WTERMSIG(status);
    else if (WIFEXITED(status))
        result.code = WEXITSTATUS(status);
    return result;
}

std::string ExitStatus::toString() const
{
    if (signal == 0) return str("ended with status ", code);
    const char* description = ::sigdescr_np(signal);
    return str("was killed by signal ", signal, " (", description ? description : "unknown", ")");
}

} // namespace millrace::protocol
