// Where everything of one user lies: $MILLRACE_HOME, and the rules for names inside it.
#pragma once

#include "engine/protocol/run_folder.h"
#include "kernels/base/result.h"

#include <string>
#include <string_view>

namespace millrace::protocol {

struct Home
{
    std::string path; ///< absolute

    /// $MILLRACE_HOME, else $XDG_DATA_HOME/millrace, else ~/.local/share/millrace. Creates nothing.
    /// Errors: InvalidArgument where none of these variables is set.
    static Result<Home> fromEnvironment();
    /// Makes the folders that are missing, readable by their owner alone. Errors: Permission, DiskFull, Io.
    Status create() const;

    std::string database() const { return path + "/millrace.db"; }
    std::string runs() const { return path + "/runs"; }
    std::string artifacts() const { return path + "/artifacts"; }
    std::string cache() const { return path + "/cache"; }
    /// The run's folder. Errors: InvalidArgument for what is no run id (and so could lead out of `runs`).
    Result<RunFolder> run(std::string_view id) const;
};

} // namespace millrace::protocol
