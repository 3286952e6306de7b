// Updates of flat buffers of parameters, by the rules of kernels/ops/optimizer.h.
#pragma once

#include "kernels/cuda/context.h"

namespace millrace::kernels::cuda {

/// Device::makeUpdate.
Result<std::unique_ptr<Update>> makeUpdate(Context& context, const UpdateRule& rule, std::span<const Segment> segments);

} // namespace millrace::kernels::cuda
