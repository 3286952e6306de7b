#include "tests/cuda/simulated/products.h"

#include <memory>

namespace millrace::kernels::cuda::simulated {

cublasStatus_t productsCreate(cublasLtHandle_t* handle)
{
    *handle = reinterpret_cast<cublasLtHandle_t>(std::make_unique<int>().release());
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t productsDestroy(cublasLtHandle_t handle)
{
    const std::unique_ptr<int> owned(reinterpret_cast<int*>(handle));
    return CUBLAS_STATUS_SUCCESS;
}

std::size_t productsVersion()
{
    return 130000;
}

} // namespace millrace::kernels::cuda::simulated
