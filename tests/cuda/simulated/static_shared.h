// The static shared memory of all kernels, which a GPU does not initialise either.
#pragma once

namespace millrace::kernels::cuda::simulated {

/// Fills it with bytes of ones (as f32 NaN) before a launch, so that what is read without having been written shows.
void poisonStaticShared();

} // namespace millrace::kernels::cuda::simulated
