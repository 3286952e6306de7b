#include "kernels/cuda/factory.h"

#include "kernels/base/text.h"

namespace millrace::kernels::cuda {

KernelResult CudaFactory::makeCopy(const Copy& copy) const
{
    return cuda::makeCopy(m_context, copy);
}

Error CudaFactory::refuse(std::string_view operation) const
{
    return makeError(Code::Unsupported, str("The operation ", operation, " has no kernel on this GPU."));
}

Status requireF32(std::string_view operation, DType type)
{
    if (type == DType::F32) return {};
    return makeError(Code::Unsupported,
                     str(operation, ": there is no kernel for ", name(type), " elements, only f32."));
}

} // namespace millrace::kernels::cuda
