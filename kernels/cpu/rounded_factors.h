// A kernel whose inputs are first rounded to bfloat16, for operations that have no bfloat16 code of their own.
#pragma once

#include "kernels/cpu/kernel.h"

#include <vector>

namespace millrace::kernels::cpu {

/// `elements`: how many each input has; 0 for one that is taken as it is.
std::unique_ptr<Kernel> makeWithRoundedFactors(std::unique_ptr<Kernel> kernel, std::vector<std::int64_t> elements,
                                               int threads);

} // namespace millrace::kernels::cpu
