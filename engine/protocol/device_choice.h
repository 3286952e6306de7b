// What a run computes on, as --device and job.json say it.
#pragma once

#include "kernels/base/result.h"

#include <string>
#include <string_view>

namespace millrace::protocol {

/// cpu, cuda (any GPU), cuda:INDEX or cuda:UUID (or as much of the UUID as no other GPU's begins with).
struct DeviceChoice
{
    bool gpu = false;
    std::string which; ///< index or UUID; empty: any

    /// Errors: InvalidArgument with what is expected.
    static Result<DeviceChoice> create(std::string_view text);
};

} // namespace millrace::protocol
