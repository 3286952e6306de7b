// The last step of every loss: the parts of a sum, added up in a fixed order.
#pragma once

#include "kernels/cuda/context.h"

#include <cstdint>

namespace millrace::kernels::cuda {

/// What a block, or a row, contributes.
struct LossSum
{
    double loss;
    std::int64_t hits; ///< of those losses that count them
};

/// Where a loss goes. Pointers to the device's memory.
struct LossOutputs
{
    float* loss; ///< factor times the sum of all losses, divided by *divisor; null: not wanted
    float* hits; ///< null: not wanted
    double factor;
    const double* divisor; ///< null: 1
};

/// Enqueues the sum of `count` parts.
void sumLosses(Context& context, const LossSum* parts, std::int64_t count, const LossOutputs& outputs);

} // namespace millrace::kernels::cuda
