// The names of the files in a run's folder, $MILLRACE_HOME/runs/<id>/.
#pragma once

#include <string>

namespace millrace::protocol {

struct RunFolder
{
    std::string path;

    std::string job() const { return path + "/job.json"; }
    std::string journal() const { return path + "/journal.jsonl"; }
    /// Held (flock) by the runner as long as it lives: whoever can take it knows that no runner works here.
    std::string lock() const { return path + "/runner.lock"; }
    std::string pid() const { return path + "/runner.pid"; }
    /// What the runner wrote to standard output and error.
    std::string output() const { return path + "/runner.log"; }
    /// Its presence asks the runner to stop at the next step.
    std::string stopRequest() const { return path + "/stop"; }
    std::string checkpoints() const { return path + "/checkpoints"; }
    std::string artifacts() const { return path + "/artifacts"; }
};

} // namespace millrace::protocol
