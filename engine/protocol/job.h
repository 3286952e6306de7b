// What a runner is handed: job.json in the run folder.
#pragma once

#include "kernels/base/result.h"

#include <string>
#include <string_view>

namespace millrace::protocol {

/// {"format": "millrace-job/1", "run": …, "name": …, "pipeline": {…the document…}, …}
struct Job
{
    std::string run;               ///< run id
    std::string name;              ///< the run's readable name, such as "brisk-heron"
    std::string pipelineText;      ///< the pipeline file's canonical text, parameters already set
    std::string baseDirectory;     ///< paths in the pipeline are relative to this
    std::string cacheDirectory;    ///< $MILLRACE_HOME/cache
    std::string resourceDirectory; ///< where the built-in data sets are
    std::string device = "cpu";    ///< or cuda, cuda:INDEX, cuda:UUID
    bool fitMemory = false;        ///< divide batches further where the GPU's memory does not hold them
    int threads = 0;               ///< part of the target's shape: the same bits need the same number
    bool useCache = true;
    bool resume = false;
};

/// The text of job.json; the pipeline stands in it as an object, its keys in the document's order.
std::string toText(const Job& job);
/// Errors: InvalidFormat, NewerFormat.
Result<Job> jobFromText(std::string_view text);

} // namespace millrace::protocol
