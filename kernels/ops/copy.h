// Contract of copying, which is what reshape and flatten are where they are not views.
#pragma once

#include <cstdint>

namespace millrace::kernels {

/// y = x, byte by byte.
/// Shapes   x, y (bytes).   Aliasing: y may be x, and then there is nothing to do.
/// Cost     reads and writes `bytes`.
struct Copy
{
    std::int64_t bytes = 0;
};

} // namespace millrace::kernels
