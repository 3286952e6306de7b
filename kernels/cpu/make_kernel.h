// What the factories share: a kernel from a callable, after checking the dimensions.
#pragma once

#include "kernels/base/text.h"
#include "kernels/cpu/kernel.h"
#include "kernels/ops/check.h"

#include <string_view>

namespace millrace::kernels::cpu {

using kernels::makeKernel;

/// Unsupported where the operation is to do what others do on a CPU: only GPUs are asked for fused operations.
inline Status refuseFused(std::string_view operation, bool isFused)
{
    if (!isFused) return {};
    return makeError(Code::Unsupported, str(operation, ": the CPU has no kernel that does several operations at once."))
        .advise("Compile the model without fusion.");
}

} // namespace millrace::kernels::cpu
