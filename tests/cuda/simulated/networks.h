// cuDNN's backend API on host loops: descriptors that check what the manual demands of them, and graphs of operations
// that are executed one after another. Each function does what the library's of the same meaning does.
#pragma once

#include <cudnn.h>

#include <cstddef>

namespace millrace::kernels::cuda::simulated {

cudnnStatus_t networksCreate(cudnnHandle_t*);
cudnnStatus_t networksDestroy(cudnnHandle_t);
cudnnStatus_t networksSetStream(cudnnHandle_t, cudaStream_t);
std::size_t networksVersion();
void networksLastError(char* message, std::size_t maxSize);

} // namespace millrace::kernels::cuda::simulated
