// cuDNN's backend API on host loops: descriptors that check what the manual demands of them, and graphs of operations
// that are executed one after another. Each function does what the library's of the same meaning does.
#pragma once

#include <cudnn.h>

#include <cstddef>
#include <cstdint>

namespace millrace::kernels::cuda::simulated {

cudnnStatus_t networksCreate(cudnnHandle_t*);
cudnnStatus_t networksDestroy(cudnnHandle_t);
cudnnStatus_t networksSetStream(cudnnHandle_t, cudaStream_t);
std::size_t networksVersion();
void networksLastError(char* message, std::size_t maxSize);

cudnnStatus_t descriptorCreate(cudnnBackendDescriptorType_t, cudnnBackendDescriptor_t*);
cudnnStatus_t descriptorDestroy(cudnnBackendDescriptor_t);
cudnnStatus_t descriptorSetAttribute(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t, cudnnBackendAttributeType_t,
                                     std::int64_t count, const void* values);
cudnnStatus_t descriptorGetAttribute(cudnnBackendDescriptor_t, cudnnBackendAttributeName_t, cudnnBackendAttributeType_t,
                                     std::int64_t requested, std::int64_t* count, void* values);
cudnnStatus_t descriptorFinalize(cudnnBackendDescriptor_t);
cudnnStatus_t execute(cudnnHandle_t, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t variantPack);

} // namespace millrace::kernels::cuda::simulated
