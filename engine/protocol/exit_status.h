// How a process ended, in a form that those who launch and those who record can share.
#pragma once

#include <string>

namespace millrace::protocol {

struct ExitStatus
{
    int code = 0;   ///< what it returned, where signal is 0
    int signal = 0; ///< the signal that killed it; 0: it ended by itself

    /// From what waitpid(2) reports.
    static ExitStatus fromWait(int status);
    /// "was killed by signal 9 (Killed)" or "ended with status 3".
    std::string toString() const;
    bool operator==(const ExitStatus&) const = default;
};

} // namespace millrace::protocol
