// cuBLASLt on host loops: column-major products with their epilogues as its manual describes them, and a refusal of
// what it does not support. Each function does what the library's of the same meaning does.
#pragma once

#include <cublasLt.h>

#include <cstddef>

namespace millrace::kernels::cuda::simulated {

cublasStatus_t productsCreate(cublasLtHandle_t*);
cublasStatus_t productsDestroy(cublasLtHandle_t);
std::size_t productsVersion();

} // namespace millrace::kernels::cuda::simulated
